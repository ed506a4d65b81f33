// SPDX-License-Identifier: MIT
#include "plots.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "mmd/core/errors.hpp"

extern char** environ;

namespace detect {
namespace {

class pipe_ends {
 public:
  pipe_ends() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) throw mmd::error("gnuplot: no pipe could be made");
  }
  ~pipe_ends() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  int read() const { return ends_[0]; }
  int write() const { return ends_[1]; }
  void close_read() { ::close(std::exchange(ends_[0], -1)); }
  void close_write() { ::close(std::exchange(ends_[1], -1)); }

 private:
  std::array<int, 2> ends_{-1, -1};
};

struct finished {
  int status = -1;
  std::string out, errors;
};

// Feeds `input` to the program and collects what it prints, without a deadlock however much either side writes.
finished run(const std::vector<const char*>& command, const std::string& input) {
  pipe_ends in, out, errors;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.write(), STDERR_FILENO);
  std::vector<char*> arguments;
  for (const char* word : command) arguments.push_back(const_cast<char*>(word));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  finished result;
  if (failed != 0) {
    result.errors = std::strerror(failed);
    return result;
  }
  in.close_read();
  out.close_write();
  errors.close_write();
  struct sigaction ignore = {}, before = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  fcntl(in.write(), F_SETFL, O_NONBLOCK);
  std::size_t written = 0;
  bool writing = true, open_out = true, open_errors = true;
  while (open_out || open_errors) {
    std::array<pollfd, 3> waiting{
        {{open_out ? out.read() : -1, POLLIN, 0}, {open_errors ? errors.read() : -1, POLLIN, 0}, {writing ? in.write() : -1, POLLOUT, 0}}};
    if (poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    std::array<char, 65536> chunk;
    const auto drain = [&](const pollfd& from, std::string& to, bool& open) {
      if (from.fd < 0 || from.revents == 0) return;
      const ssize_t n = ::read(from.fd, chunk.data(), chunk.size());
      if (n > 0) {
        to.append(chunk.data(), static_cast<std::size_t>(n));
      } else if (n == 0 || errno != EINTR) {
        open = false;
      }
    };
    drain(waiting[0], result.out, open_out);
    drain(waiting[1], result.errors, open_errors);
    if (waiting[2].fd >= 0 && waiting[2].revents != 0) {
      const ssize_t n = ::write(in.write(), input.data() + written, input.size() - written);
      if (n > 0) written += static_cast<std::size_t>(n);
      if (written == input.size() || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        in.close_write();
        writing = false;
      }
    }
  }
  while (waitpid(child, &result.status, 0) < 0 && errno == EINTR) {
  }
  sigaction(SIGPIPE, &before, nullptr);
  return result;
}

}  // namespace

bool gnuplot_available() {
  const finished f = run({"gnuplot", "--version"}, "");
  return f.status != -1 && WIFEXITED(f.status) && WEXITSTATUS(f.status) == 0;
}

std::string draw_svg(const std::string& commands, int width, int height) {
  const std::string script = "set terminal svg size " + std::to_string(width) + "," + std::to_string(height) +
                             " dynamic enhanced font 'Helvetica,13' background '#ffffff'\n"
                             "set encoding utf8\nset border 3 lc rgb '#555555'\nset tics nomirror out scale 0.6 textcolor rgb '#333333'\n"
                             "set grid lc rgb '#e6e6e6' lw 1\nset key textcolor rgb '#333333' samplen 2\n" +
                             commands + "\n";
  const finished f = run({"gnuplot", "-"}, script);
  const bool good = f.status != -1 && WIFEXITED(f.status) && WEXITSTATUS(f.status) == 0 && f.out.find("</svg>") != std::string::npos;
  if (!good) throw mmd::error("gnuplot failed: " + f.errors.substr(0, 400));
  return f.out.substr(f.out.find("<svg"));
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '_' || c == '^' || c == '@' || c == '{' || c == '}' || c == '&' || c == '~') out += "\\\\";
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace detect

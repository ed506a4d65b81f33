// SPDX-License-Identifier: MIT
// detect_machine_text: learn a kernel that tells machine-written from human-written texts, then decide by tests whose p-values hold.
#include "commands.hpp"
#include "detect_machine_text/processor.hpp"
#include "support/backend.hpp"
#include "support/program.hpp"

int main(int argc, char** argv) {
  CLI::App app("Tells machine-written from human-written texts with a kernel learned by MMD-MP. Without a command: demo.",
               "detect_machine_text");
  app.fallthrough();  // --threads may stand behind the command
  int threads = 0;
  app.add_option("--threads", threads, "0: all")->check(program::whole(0, 4096));
  program::backend_option backend(app);
  detect::Command chosen;
  detect::add_demo(app, chosen);
  detect::add_embed(app, chosen);
  detect::add_train(app, chosen);
  detect::add_score(app, chosen);
  detect::add_test(app, chosen);
  detect::add_evaluate(app, chosen);
  detect::add_check(app, chosen);
  detect::add_info(app, chosen);
  app.require_subcommand(0, 1);
  return program::run(app, argc, argv, [&] {
    program::progress_bar bar;
    std::shared_ptr<const detect::Processor> on;
    if (backend.on_device()) {
      if constexpr (program::built_with_cuda) on = detect::on_device(threads, bar.callback());
    } else {
      on = detect::on_cpu(threads, bar.callback());
    }
    program::print(chosen(*on));
    backend.say();
  });
}

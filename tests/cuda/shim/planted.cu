// SPDX-License-Identifier: MIT
// The stand-in finds what it should: device code with one bug each, and the same without it.
//   planted          runs all that it finds by itself, in order and shuffled; exit 1 if one is not found or sound code is blamed
//   planted NAME     runs one, for a sanitizer to find
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "cuda_runtime.h"

namespace {

constexpr int block = 64;

__global__ void reversed(float* out, bool barrier) {
  __shared__ float s[block];
  const int t = static_cast<int>(threadIdx.x);
  s[t] = static_cast<float>(t);
  if (barrier) __syncthreads();
  out[static_cast<int>(blockIdx.x) * block + t] = s[block - 1 - t];
}
__global__ void summed_twice(float* out, bool barrier) {  // the second round overwrites what others still read
  __shared__ float s[block];
  const int t = static_cast<int>(threadIdx.x);
  float sum = 0;
  for (int round = 1; round <= 2; ++round) {
    s[t] = static_cast<float>(round);
    __syncthreads();
    for (int i = 0; i < block; ++i) sum += s[i];
    if (barrier) __syncthreads();
  }
  out[static_cast<int>(blockIdx.x) * block + t] = sum;
}
__global__ void neighbour_of_warp(float* out, bool barrier) {
  __shared__ float s[block];
  const int t = static_cast<int>(threadIdx.x);
  s[t] = static_cast<float>(t);
  if (barrier) __syncwarp();
  out[static_cast<int>(blockIdx.x) * block + t] = s[t ^ 31];
}
__global__ void added_by_all(float* out, bool atomic) {
  for (int i = 0; i < 1000; ++i) {
    if (atomic) {
      atomicAdd(out, 1.0f);
    } else {
      *out += 1.0f;
    }
  }
}
__global__ void filled(float* out, int last) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i <= last) out[i] = 1;
}
__global__ void read_at(float* out, const float* in, long long at) { out[threadIdx.x] = in[at]; }
__global__ void shared_at(float* out, int offset) {
  float* const s = cuda_shim::dynamic_shared<float>();
  const int t = static_cast<int>(threadIdx.x);
  s[t + offset] = 1;
  __syncthreads();
  out[t] = s[t];
}
__global__ void static_shared_at(float* out, int offset) {
  __shared__ float s[block];
  const int t = static_cast<int>(threadIdx.x);
  s[t + offset] = 1;
  __syncthreads();
  out[t] = s[t];
}
__global__ void returned_early(float* out, int count) {
  if (static_cast<int>(threadIdx.x) >= count) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void shifted(float* out, unsigned lanes, unsigned mask) {
  float v = 1;
  if (threadIdx.x < lanes) v = __shfl_down_sync(mask, v, 1);
  out[threadIdx.x] = v;
}
__global__ void from_shared(float* out, bool dynamic, int written) {
  __shared__ float s[block];
  float* const d = cuda_shim::dynamic_shared<float>();
  const int t = static_cast<int>(threadIdx.x);
  if (t < written || static_cast<int>(blockIdx.x) == 0) s[t] = d[t] = 1;
  out[static_cast<int>(blockIdx.x) * block + t] = dynamic ? d[t] : s[t];
}
struct Arguments {
  const float* in;
  int n;
};
__global__ void from_struct(float* out, Arguments arguments) { out[threadIdx.x] = arguments.in[threadIdx.x]; }

struct Run {
  std::vector<float> expected, got = std::vector<float>(4 * block);
  float *out = nullptr, *in = nullptr, *pinned = nullptr;
  cudaStream_t first = nullptr, second = nullptr;
  cudaError_t error = cudaSuccess;

  Run() {
    cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking);
    cudaMalloc(&out, got.size() * sizeof(float));
    cudaMalloc(&in, block * sizeof(float));
    cudaMallocHost(&pinned, block * sizeof(float));
    for (int i = 0; i < block; ++i) pinned[i] = 7;
  }
  Run(const Run&) = delete;
  ~Run() {
    for (void* p : {out, in}) cudaFree(p);
    cudaFreeHost(pinned);
    for (cudaStream_t stream : {first, second}) cudaStreamDestroy(stream);
  }

  template <class... P, class... A>
  void launch(unsigned grid, unsigned threads, void (*kernel)(P...), A... arguments) {
    const cudaLaunchConfig_t config{grid, threads, block * sizeof(float), first, nullptr, 0};
    note(cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...));
  }
  void note(cudaError_t e) {
    if (error == cudaSuccess) error = e;
  }
  // out[i] must be value(i), i < count.
  template <class F>
  requires std::is_invocable_v<F, int>
  void expect(int count, F value) {
    for (int i = 0; i < count; ++i) expected.push_back(static_cast<float>(value(i)));
  }
  void expect(int count, float value) {
    expect(count, [value](int) { return value; });
  }
  bool right() {
    note(cudaMemcpyAsync(got.data(), out, got.size() * sizeof(float), cudaMemcpyDeviceToHost, first));
    note(cudaDeviceSynchronize());
    return error == cudaSuccess && std::equal(expected.begin(), expected.end(), got.begin());
  }
};

void barrier(Run& r, bool bug) {
  r.expect(2 * block, [](int i) { return block - 1 - i % block; });
  r.launch(2, block, &reversed, r.out, !bug);
}
void second_barrier(Run& r, bool bug) {
  r.expect(2 * block, 3 * block);
  r.launch(2, block, &summed_twice, r.out, !bug);
}
void barrier_of_warp(Run& r, bool bug) {
  r.expect(2 * block, [](int i) { return i % block ^ 31; });
  r.launch(2, block, &neighbour_of_warp, r.out, !bug);
}
void race_of_blocks(Run& r, bool bug) {
  r.expect(1, 100000);
  cudaMemsetAsync(r.out, 0, sizeof(float), r.first);
  r.launch(100, 1, &added_by_all, r.out, !bug);
}
void past_the_end(Run& r, bool bug) {
  r.expect(4 * block, 1);
  r.launch(5, block, &filled, r.out, 4 * block - 1 + bug);
}
void between_allocations(Run& r, bool bug) {  // as near to its end as its alignment of 256 bytes leaves room
  float* p;
  cudaMalloc(&p, 10 * sizeof(float));
  r.launch(1, block, &filled, p, 9 + bug);
  r.note(cudaStreamSynchronize(r.first));
  cudaFree(p);
}
void far_past_the_end(Run& r, bool bug) { r.launch(1, 1, &read_at, r.out, r.in, bug ? 100000 : 0); }
void before_the_start(Run& r, bool bug) { r.launch(1, 1, &read_at, r.out, r.in, bug ? -2000 : 0); }
void null_pointer(Run& r, bool bug) { r.launch(1, 1, &read_at, r.out, bug ? nullptr : r.in, 0); }
void freed(Run& r, bool bug) {
  float* p;
  cudaMallocAsync(&p, 100, r.first);
  if (bug) cudaFreeAsync(p, r.first);
  r.launch(1, 1, &read_at, r.out, p, 0);
  if (!bug) cudaFreeAsync(p, r.first);
}
void past_dynamic_shared(Run& r, bool bug) {
  r.expect(block, 1);
  r.launch(1, block, &shared_at, r.out, bug ? 1 : 0);
}
void past_static_shared(Run& r, bool bug) {
  r.expect(block, 1);
  r.launch(1, block, &static_shared_at, r.out, bug ? 1 : 0);
}
void divergent_barrier(Run& r, bool bug) {
  r.expect(block / 2, 1);
  r.launch(1, block, &returned_early, r.out, bug ? 40 : block);
}
void absent_lanes(Run& r, bool bug) {
  r.expect(15, 1);
  r.launch(1, 32, &shifted, r.out, 16, bug ? 0xffffffffu : 0xffffu);
}
void mask_without_itself(Run& r, bool bug) {
  r.expect(32, 1);
  r.launch(1, 32, &shifted, r.out, 32, bug ? 0x7fffffffu : 0xffffffffu);
}
void unwritten_dynamic_shared(Run& r, bool bug) {
  r.expect(2 * block, 1);
  r.launch(2, block, &from_shared, r.out, true, block - bug);
}
void unwritten_static_shared(Run& r, bool bug) {
  r.expect(2 * block, 1);
  r.launch(2, block, &from_shared, r.out, false, block - bug);
}
void unwritten_memory(Run& r, bool bug) {
  r.expect(block, 0);
  if (!bug) cudaMemsetAsync(r.in, 0, block * sizeof(float), r.first);
  r.launch(1, block, &from_struct, r.out, Arguments{r.in, block});
}
void missing_event(Run& r, bool bug) {
  r.expect(block, 7);
  cudaMemcpyAsync(r.in, r.pinned, block * sizeof(float), cudaMemcpyHostToDevice, r.second);
  cudaEvent_t event;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  cudaEventRecord(event, r.second);
  if (!bug) cudaStreamWaitEvent(r.first, event, 0);
  r.launch(1, block, &from_struct, r.out, Arguments{r.in, block});
  cudaStreamSynchronize(r.first);
  cudaEventDestroy(event);
}
void pinned_too_early(Run& r, bool bug) {
  r.expect(block, 7);
  cudaMemcpyAsync(r.in, r.pinned, block * sizeof(float), cudaMemcpyHostToDevice, r.first);
  if (!bug) cudaStreamSynchronize(r.first);
  for (int i = 0; i < block; ++i) r.pinned[i] = 8;
  r.launch(1, block, &from_struct, r.out, Arguments{r.in, block});
}
void read_too_early(Run& r, bool bug) {
  cudaMemsetAsync(r.in, 0, block * sizeof(float), r.first);
  cudaMemcpyAsync(r.pinned, r.in, block * sizeof(float), cudaMemcpyDeviceToHost, r.first);
  if (!bug) cudaStreamSynchronize(r.first);
  if (r.pinned[block - 1] != 0) r.note(cudaErrorUnknown);
}
void host_address(Run& r, bool bug) {
  r.expect(block, 7);
  cudaMemcpyAsync(r.in, r.pinned, block * sizeof(float), cudaMemcpyHostToDevice, r.first);
  const std::vector<float> there(block, 7.0f);
  r.launch(1, block, &from_struct, r.out, Arguments{bug ? there.data() : r.in, block});
}
void wrong_direction(Run& r, bool bug) {
  std::vector<float> there(block);
  r.note(cudaMemcpyAsync(r.in, there.data(), block * sizeof(float), bug ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice, r.first));
}
void read_by_host(Run& r, bool bug) {  // dies of it: in a process of its own
  const pid_t child = fork();
  if (child == 0) {
    if (bug) {
      const volatile float* const p = r.in;
      static_cast<void>(*p);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) r.note(cudaErrorUnknown);
}

enum class Found { always, by_sanitizer };
struct Case {
  void (*run)(Run&, bool bug);
  Found found = Found::always;
};
const std::map<std::string, Case> cases = {
    {"barrier", {&barrier}},
    {"second_barrier", {&second_barrier}},
    {"barrier_of_warp", {&barrier_of_warp}},
    {"race_of_blocks", {&race_of_blocks, Found::by_sanitizer}},
    {"past_the_end", {&past_the_end}},
    {"between_allocations", {&between_allocations}},
    {"far_past_the_end", {&far_past_the_end}},
    {"before_the_start", {&before_the_start}},
    {"null_pointer", {&null_pointer}},
    {"freed", {&freed}},
    {"past_dynamic_shared", {&past_dynamic_shared}},
    {"past_static_shared", {&past_static_shared, Found::by_sanitizer}},
    {"divergent_barrier", {&divergent_barrier}},
    {"absent_lanes", {&absent_lanes}},
    {"mask_without_itself", {&mask_without_itself}},
    {"unwritten_dynamic_shared", {&unwritten_dynamic_shared}},
    {"unwritten_static_shared", {&unwritten_static_shared}},
    {"unwritten_memory", {&unwritten_memory}},
    {"missing_event", {&missing_event}},
    {"pinned_too_early", {&pinned_too_early}},
    {"read_too_early", {&read_too_early}},
    {"host_address", {&host_address}},
    {"wrong_direction", {&wrong_direction}},
    {"read_by_host", {&read_by_host}},
};

// Whether one run went wrong.
bool wrong(const Case& each, bool bug, unsigned seed, std::string& said) {
  cuda_shim::reset();
  cuda_shim::options().seed = seed;
  bool found = false;
  {
    Run r;
    each.run(r, bug);
    found = !r.right();
    said = r.error == cudaSuccess ? "a wrong result" : cuda_shim::last_message().empty() ? "a wrong value" : cuda_shim::last_message();
  }
  cuda_shim::reset();
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  std::string said;
  if (argc > 1) {
    const bool found = wrong(cases.at(argv[1]), true, cuda_shim::options().seed, said);
    std::printf("%s: %s\n", argv[1], found ? said.c_str() : "not found");
    return 0;
  }
  int failed = 0;
  for (const auto& [name, each] : cases) {
    int found = 0, blamed = 0;
    constexpr unsigned seeds = 4;
    for (unsigned seed = 0; seed < seeds; ++seed) {
      if (wrong(each, false, seed, said)) {
        ++blamed;
        std::printf("%s: sound code is blamed with seed %u: %s\n", name.c_str(), seed, said.c_str());
      }
      if (each.found == Found::always) found += wrong(each, true, seed, said);
    }
    const bool well = blamed == 0 && (each.found != Found::always || found >= (name == "missing_event" ? 2 : static_cast<int>(seeds)));
    if (each.found == Found::always) std::printf("%-26s found in %d of %u orders: %s\n", name.c_str(), found, seeds, said.c_str());
    failed += !well;
  }
  return failed == 0 ? 0 : 1;
}

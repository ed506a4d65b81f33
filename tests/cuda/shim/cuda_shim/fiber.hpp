// SPDX-License-Identifier: MIT
// Stacks of their own for the threads of a block, switched by hand on x86-64 and by ucontext elsewhere; sanitizers are told of each switch.
// For the engine only.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#if !defined(__x86_64__) || defined(CUSHIM_UCONTEXT)
#define CUSHIM_USES_UCONTEXT 1
#include <ucontext.h>
#endif

extern "C" {
[[gnu::weak]] void* __tsan_get_current_fiber(void);
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_destroy_fiber(void* fiber);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_acquire(void* address);
[[gnu::weak]] void __tsan_release(void* address);
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, std::size_t size);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, std::size_t* size);
[[gnu::weak]] void __asan_poison_memory_region(const volatile void* address, std::size_t size);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* address, std::size_t size);
#ifndef CUSHIM_USES_UCONTEXT
void cuda_shim_switch(void** from, void* to);
#endif
}

namespace cuda_shim {

// What one fiber tells another through memory the sanitizer must know of: release in one, acquire in the other.
inline void release(void* tag) {
  if (__tsan_release) __tsan_release(tag);
}
inline void acquire(void* tag) {
  if (__tsan_acquire) __tsan_acquire(tag);
}

class Context {
 public:
  static constexpr std::size_t stack_bytes = std::size_t{256} << 10, guard_bytes = stack_bytes;

  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    if (stack_) munmap(stack_ - guard_bytes, guard_bytes + stack_bytes);
    if (owns_tsan_ && tsan_) __tsan_destroy_fiber(tsan_);
  }

  // The calling thread's own stack.
  void adopt() {
    if (__tsan_get_current_fiber) tsan_ = __tsan_get_current_fiber();
  }

  // A new stack that starts in entry(), which never returns. `place` staggers the stacks' tops, which would share one set of the cache.
  void make(void (*entry)(), unsigned place) {
    if (stack_) return;
    void* const memory =
        mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    mprotect(memory, guard_bytes, PROT_NONE);
    stack_ = static_cast<char*>(memory) + guard_bytes;
    if (__tsan_create_fiber) {
      tsan_ = __tsan_create_fiber(0);
      owns_tsan_ = true;
    }
    const std::size_t used = stack_bytes - 64 - place % 64 * 576;
#ifdef CUSHIM_USES_UCONTEXT
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_;
    context_.uc_stack.ss_size = used;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
#else
    auto* top = reinterpret_cast<void**>(stack_ + used);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    pointer_ = top;
#endif
  }

  // Runs `to` until something switches back. The thread's own context must be told its stack by entered().
  void switch_to(Context& to) {
    if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(to.tsan_, 1 /* tells the sanitizer of no order */);
    if (__sanitizer_start_switch_fiber)
      __sanitizer_start_switch_fiber(&fake_stack_, to.stack_ ? to.stack_ : to.bottom_, to.stack_ ? stack_bytes : to.size_);
#ifdef CUSHIM_USES_UCONTEXT
    swapcontext(&context_, &to.context_);
#else
    cuda_shim_switch(&pointer_, to.pointer_);
#endif
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(fake_stack_, nullptr, nullptr);
  }

  // First thing in entry(): `from` is the context of the thread that started it.
  static void entered(Context& from) {
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(nullptr, &from.bottom_, &from.size_);
  }

 private:
  char* stack_ = nullptr;
  void *tsan_ = nullptr, *fake_stack_ = nullptr;
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
  bool owns_tsan_ = false;
#ifdef CUSHIM_USES_UCONTEXT
  ucontext_t context_{};
#else
  void* pointer_ = nullptr;
#endif
};

}  // namespace cuda_shim

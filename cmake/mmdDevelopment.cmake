# SPDX-License-Identifier: MIT
# mmd_development: warnings as errors, and the instruction set of this machine if MMD_NATIVE. For this project's own programs; nothing of it
# reaches a consumer.
include_guard()
include(CheckCXXSourceCompiles)

set(MMD_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Werror)
add_library(mmd_development INTERFACE)
target_link_libraries(mmd_development INTERFACE mmd::mmd)

# Two false alarms of g++ 12, mended in 13: AVX-512 intrinsics, which Eigen uses, pass an "undefined" argument (GCC bug 105593), and
# "literal" + string is taken for an overlapping copy (105329, 105651).
set(MMD_BUILD_WARNINGS ${MMD_WARNINGS})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND MMD_BUILD_WARNINGS -Wno-restrict)
  set(CMAKE_REQUIRED_FLAGS "")
  if(MMD_NATIVE)
    set(CMAKE_REQUIRED_FLAGS -march=native)
  endif()
  check_cxx_source_compiles("#ifndef __AVX512F__\n#error\n#endif\nint main() {}" MMD_AVX512)
  if(MMD_AVX512)
    set(no_uninitialized -Wno-maybe-uninitialized)
  endif()
endif()
if(MMD_NATIVE)
  set(native -march=native)
endif()
# A .cu file's own warnings are errors too; its host code is compiled for the oldest processor.
target_compile_options(mmd_development INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${MMD_BUILD_WARNINGS};${no_uninitialized};${native}>"
                                                 "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra;--Werror;all-warnings>")

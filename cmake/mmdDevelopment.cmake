# SPDX-License-Identifier: MIT
# mmd_development: warnings as errors, and the instruction set of this machine if MMD_NATIVE. For this project's own programs; nothing of it
# reaches a consumer.
include_guard()

set(MMD_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Werror)
add_library(mmd_development INTERFACE)
target_link_libraries(mmd_development INTERFACE mmd::mmd)
if(MSVC)
  target_compile_options(mmd_development INTERFACE /W4)
else()
  target_compile_options(mmd_development INTERFACE ${MMD_WARNINGS} $<$<BOOL:${MMD_NATIVE}>:-march=native>)
endif()

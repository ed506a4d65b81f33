// SPDX-License-Identifier: MIT
#pragma once

#define MMD_VERSION_MAJOR 0
#define MMD_VERSION_MINOR 1
#define MMD_VERSION_PATCH 0
#define MMD_VERSION "0.1.0"

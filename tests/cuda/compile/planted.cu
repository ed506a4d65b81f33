// SPDX-License-Identifier: MIT
// More values than registers.
__global__ void __launch_bounds__(1024, 2) spills(float* x) {
  float v[200];
#pragma unroll
  for (int i = 0; i < 200; ++i) v[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 200; ++i) x[i * 1024 + threadIdx.x] = v[(i * 7 + 3) % 200] * v[i];
}

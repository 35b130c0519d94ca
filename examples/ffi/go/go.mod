// SPDX-License-Identifier: MIT
module fsgscheck.example

go 1.19

/* SPDX-License-Identifier: MIT */
/* The signals that a trial catches, as the tests expect them. */
#ifndef SUPPORT_CAUGHT_H
#define SUPPORT_CAUGHT_H

#include "../../lib/linux/handover.h"

#include <assert.h>

static const int caught[] = {SIGILL, SIGSEGV, SIGBUS, SIGSYS};

#define CAUGHT (sizeof caught / sizeof *caught)

static_assert(CAUGHT == FSGS_CAUGHT, "the library catches other signals: list them here, too");

#endif

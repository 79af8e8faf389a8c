/* SPDX-License-Identifier: Apache-2.0 */
/* All of weir's C API. A plugin needs nothing else. */
#pragma once

#include <weir/baggage.h>
#include <weir/budget.h>
#include <weir/cause.h>
#include <weir/channel.h>
#include <weir/exit.h>
#include <weir/identity.h>
#include <weir/item.h>
#include <weir/log.h>
#include <weir/record.h>
#include <weir/scope.h>
#include <weir/stage.h>
#include <weir/status.h>
#include <weir/version.h>

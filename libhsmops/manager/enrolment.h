// Enrolment: a device that nobody has ever led gets its first record of who may write (R), and its
// blank tokens become members. For managers of resources that people apply; in a cluster folder
// `init` does it.
#pragma once

#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// All of its members have to answer, be blank, and be different tokens: what a token holds is never
// given up here. They are initialised first and R is made last, so whoever comes after a manager
// that died in between finds members of the first epoch that hold nothing, and goes on with them.
//
// `pool`: of the managers' certificates. kUnavailable: somebody could not be asked. kReadOnly: a
// token holds something, or the status tells of an epoch, so R was lost and is not made anew.
// kConflict: there is an R.
base::Result<void> Enrol(World& world, const cluster::HSMDevice& device, const store::Uid& pool);

// Says in the device's status why it is not enrolled (finding NotEnrolled), where it does not say
// so already. That it cannot be written changes nothing.
void ShowNotEnrolled(World& world, cluster::HSMDevice device, const base::Error& why);

}  // namespace hsmops::manager

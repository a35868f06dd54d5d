// Tell: runs a script over the simulator's world and gives the transcript.
//
// The agents, managers and stores are the production code; nothing is left to chance: the network
// takes no time to speak of, clocks are right, and who is ready first has the first turn. Intervals
// are the defaults of a device, but for minInterval, which is 0.
//
// Acts. NAME is a host (node-1, manager-1, client), a part (primary, target, leader), or several
// (agents, mirrors, managers):
//   kill NAME          its process ends; its port refuses          start NAME
//   lose NAME          its host is gone, and nothing answers
//   stop NAME          it stands still, as by SIGSTOP              go NAME
//   cut NAME from NAME nothing passes, either way                  join NAME
//   cut NAME from store   of a manager: it reaches no API server
//   unplug NODE        its token is gone                           plug NODE
//   empty NODE         its token was initialised again             swap NODE   it is another pool's
//   still NAME 10s     its clock stands still for so long
//   pause 30s, resume, ack, promote NODE, failover NODE [accept-loss]   an HSMOperation
//   keep R             and the device's status, as a backup        restore R   from there
//
// Steps: P0 to P8 of protocol.md, 3, each once its effect is there and its leader has not yet heard
// so; `copy` and `pull`: a manager has sent somebody a record, outside a promotion and in one.
#pragma once

#include <string>

#include "libhsmops/base/result.h"

namespace hsmops::stories {

// kInvalid: the script cannot be run; says why.
base::Result<std::string> Tell(const std::string& script);

}  // namespace hsmops::stories

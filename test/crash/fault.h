// Fault: one line of a fault plan, what the fault module shall do at which call.
//
// A plan has one fault a line, `#` begins a comment:
//
//   call=K mode=MODE [function=C_X] [rv=0x30] [arg=N] [times=N] [attr=0x11]
//
// K counts from 1 over all processes that use the plan: in PLAN.count, which a restarted child goes
// on counting in. With function= it counts calls of that function only. The fault fires at the
// calls K to K + times - 1 (times=1 if not given; 0: for ever). Every firing is appended to
// PLAN.fired and synced before it takes effect. The plan is read again at every C_Initialize.
//
//   fail-before   returns rv (CKR_DEVICE_ERROR) without asking the real module
//   fail-after    asks it, then returns rv all the same
//   die-before, die-after   SIGKILL to this process
//   hang, hang-after        sleeps until it is killed, before or after asking the real module
//   full          C_CreateObject returns CKR_DEVICE_MEMORY, from the K-th on
//   fill          the file that KHSM_FAULT_FILL names grows until its disk has arg (0) bytes left,
//                 then the real module is asked
//   page          C_FindObjects gives at most arg objects (half of what it was asked for), and
//                 more follow
//   stale         C_GetAttributeValue answers what it answered first for this handle and attribute
//                 in this view; with function=C_FindObjects: the search answers as the last one
//                 with the same template did
//   truncate      the value lacks its last arg (1) bytes; the length says so
//   flip          bit arg (0) of the value is the other way round
//   empty         the value has 0 bytes
//   grow          the value grows between the two calls: a question for its length is answered
//                 arg (1) bytes short, a read says CKR_BUFFER_TOO_SMALL
//   shrink        the value shrinks between the two calls: a question for its length is answered
//                 arg (1) bytes long
//
// truncate, flip, empty and stale count only reads that have room for an answer; full, page,
// grow and shrink only calls of their function. They change CKA_VALUE if the read asks for it, else
// its first attribute, or the one that attr= names. PLAN.fired says `effect=none` where there was
// nothing to change.
#pragma once

#include <p11-kit/pkcs11.h>

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "test/crash/pkcs11_functions.h"

namespace hsmops::test {

enum class Mode {
  kFailBefore,
  kFailAfter,
  kDieBefore,
  kDieAfter,
  kHang,
  kHangAfter,
  kFull,
  kFill,
  kPage,
  kStale,
  kTruncate,
  kFlip,
  kEmpty,
  kGrow,
  kShrink,
};
inline constexpr const char* kModeNames[] = {
    "fail-before", "fail-after", "die-before", "die-after", "hang",  "hang-after", "full",  "fill",
    "page",        "stale",      "truncate",   "flip",      "empty", "grow",       "shrink"};
// A wrong answer of the real call, not an end of it.
constexpr bool IsLie(Mode mode) { return mode >= Mode::kPage; }

struct Fault {
  std::uint64_t call = 0;
  Mode mode = Mode::kFailBefore;
  std::optional<Function> function;
  CK_RV rv = CKR_DEVICE_ERROR;
  std::optional<std::uint64_t> arg;
  std::uint64_t times = 1;
  std::optional<CK_ATTRIBUTE_TYPE> attribute;

  bool Covers(std::uint64_t count) const {
    return count >= call && (times == 0 || count - call < times);
  }
};

// The faults of a plan's text; one that is not understood ends the process.
std::vector<Fault> ParsePlan(std::istream& plan);

// Says so on standard error and aborts: a test that cannot have its fault must not pass.
[[noreturn]] void Broken(const std::string& what);

}  // namespace hsmops::test

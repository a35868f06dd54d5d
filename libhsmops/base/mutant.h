// Mutants: known ways to break the protocol, kept as switches so that a test shows that each is
// found. They exist only in builds with HSMOPS_MUTANTS; elsewhere On() is the constant false.
#pragma once

#include <cstdint>

namespace hsmops::base {

enum class Mutant : std::uint8_t {
  kNone,
  kDestroyBeforeCreate,     // W9 before W3
  kErrorAsAbsent,           // a failed read answered as "not there"
  kFirstInsteadOfGreatest,  // the first matching head instead of the greatest version
  kInSessionProof,          // a read-back in the same view as W6
  kPageOf100,               // the search stops after one page
  kPrefixMatch,             // names matched by prefix
  kTombstoneEarly,          // a tombstone collected before every member has it
  kPinRetried,              // a refused PIN tried again
  kSmallerForDamaged,       // an older version answered for a damaged newer one
  // Of protocol.md, 3; found by the simulator.
  kGenerationIgnored,      // an agent takes a grant of a lower generation
  kNoMerge,                // P6: the target pulls nothing
  kRenewByRead,            // a grant after a read of R, without the compare-and-swap
  kNoWait,                 // P4: the old grant is not waited for
  kNoQuorum,               // P5: whoever answers is enough
  kNoGateChecks,           // neither W4 nor W8 asks the gate
  kGrantSurvivesRestart,   // a new run of an agent goes on with a grant
  kPromoteAnyone,          // also who was not in S
  kDeadlineFromReceipt,    // D counts from when the grant arrived
  kNotCaughtUp,            // prepare proves nothing
  kNoJointStep,            // S is changed without prepare
  kAnswerCountsForItself,  // P5 counts an answer without an inventory
  kBumpWithoutSwap,        // P2 overwrites whatever R is by then
  kTwoTargets,             // who resumes a promotion chooses another target in the same epoch
  kSyncSetReread,          // S is swapped by a version read after prepare
  kNotFrozen,              // the target goes on taking records
  kResumeWithoutWait,      // who resumes a promotion takes the wait for done
  kRepeatedUnconfirmed,    // a re-sent opId is acknowledged without W7
  kNoDrift,                // W is D, with neither rho nor a margin; and no guard
  kNoGuard,                // no guard alone: harmless, and no test may find it
  kEraIgnored,             // a copy read before a deletion was collected is taken after it
};

#ifdef HSMOPS_MUTANTS
bool On(Mutant mutant);
// The one that is on; tests set it and set it back. Also read from KHSM_MUTANT (its number) by the
// processes that a test starts.
void SetMutant(Mutant mutant);
#else
constexpr bool On(Mutant) { return false; }
#endif

}  // namespace hsmops::base

// Failpoint: a named place at which a test can stop this process. In builds with HSMOPS_MUTANTS;
// elsewhere it is nothing.
#pragma once

namespace hsmops::base {

#ifdef HSMOPS_MUTANTS
// Where the environment's KHSM_FAILPOINTS names a folder and an empty file `name` is in it, removes
// that file and raises SIGSTOP; returns when somebody sends SIGCONT. So a test arms a place at any
// time, and it stops one process once; again at the same place when it is armed before SIGCONT,
// with some milliseconds for the other threads between. A file of n bytes lets n passes by first,
// and is a byte shorter after each; it has to appear whole, by rename. The folder is looked up
// once, at the first call. Thread-safe.
void Failpoint(const char* name);
#else
inline void Failpoint(const char*) {}
#endif

}  // namespace hsmops::base

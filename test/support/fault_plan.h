// FaultPlan: what the fault module (test/crash; fault.h has the plan's words) shall
// do, and what it did.
//
// A driver runs k = 1, 2, 3 … until a run ends with fired() empty. The counts go on over processes
// and views until Set or Reset.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hsmops::test {

// The path of the module, for the module-path of a URI.
std::string FaultModulePath();

class FaultPlan {
 public:
  // `path` need not exist. "<softhsm conf>.faults" is found by the module without any environment.
  explicit FaultPlan(std::string path) : path_(std::move(path)) { Set(""); }

  // One fault a line, for instance "call=7 mode=fail-after rv=0x32". Also resets counts and
  // firings. Holds from the module's next C_Initialize on.
  void Set(const std::string& faults);
  void Reset();

  // Calls so far of any function, or of one by its name.
  std::uint64_t calls() const;
  std::uint64_t calls(const std::string& function) const;
  // Reads with room for an answer: what truncate, flip, empty and stale count.
  std::uint64_t value_reads() const;
  // One line per firing; only those that changed something, or all of them.
  std::vector<std::string> fired(bool with_effect_only = false) const;

  const std::string& path() const { return path_; }
  // What a process needs to use this plan by KHSM_FAULT_PLAN.
  std::map<std::string, std::string> environment() const { return {{"KHSM_FAULT_PLAN", path_}}; }

 private:
  std::string path_;
};

}  // namespace hsmops::test

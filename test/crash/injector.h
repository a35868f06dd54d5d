// Injector: counts the calls of the fault module, and does at each what the plan has for it.
//
// One for a process, for as long as it lives. Thread-safe as far as a PKCS#11 module must be: the
// plan is read at C_Initialize, when no other call may run.
#pragma once

#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "test/crash/fault.h"
#include "test/crash/pkcs11_functions.h"

namespace hsmops::test {

// The value of an environment variable, "" when it is not set.
std::string Env(const char* name);

// What has been read and listed in this view, for the stale answers.
struct View {
  struct Search {
    std::string key;                        // the template's bytes
    std::vector<CK_OBJECT_HANDLE> found;    // so far
    std::optional<std::size_t> stale_from;  // answers come from last_listing[key], from here on
  };
  std::map<std::pair<CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE>, std::string> first_values;
  std::map<std::string, std::vector<CK_OBJECT_HANDLE>> last_listing;
  std::map<CK_SESSION_HANDLE, Search> searches;
};

// Which call this is, of any function and of its own.
struct Nth {
  std::uint64_t total;
  std::uint64_t own;
};

class Injector {
 public:
  CK_FUNCTION_LIST* real = nullptr;

  // Loads the module that KHSM_FAULT_MODULE names, and reads the plan; both again at C_Initialize.
  void LoadReal();
  void LoadPlan();

  // Makes the call, unless a fault is due.
  template <typename Call>
  CK_RV Intercept(Function function, Call call) {
    const Nth nth{++counts_->total, ++counts_->by_function[static_cast<std::size_t>(function)]};
    const Fault* const fault = Find(function, nth);
    const CK_RV rv = fault == nullptr ? call(nth) : Inject(*fault, function, nth, call);
    if (!trace_.empty()) Trace(function, rv);
    return rv;
  }

  // The calls whose answers can be wrong.
  CK_RV GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                          CK_ATTRIBUTE* attributes, CK_ULONG count);
  CK_RV FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE* attributes, CK_ULONG count);
  CK_RV FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE* objects, CK_ULONG max,
                    CK_ULONG* found);
  CK_RV FindObjectsFinal(CK_SESSION_HANDLE session);

 private:
  void MapCounts();
  const Fault* Find(Function function, Nth nth) const;
  const Fault* FindMode(std::uint64_t nth, std::initializer_list<Mode> modes,
                        Function function) const;
  const Fault* FindLie(std::uint64_t nth, std::uint64_t nth_read) const;
  void Record(const Fault& fault, Function function, std::uint64_t total, bool effect) const;
  [[noreturn]] static void Die();
  static void FillDisk(std::uint64_t leave);
  static CK_ATTRIBUTE* Target(const Fault& fault, CK_ATTRIBUTE* attributes, CK_ULONG count);
  void Remember(CK_OBJECT_HANDLE object, const CK_ATTRIBUTE* attributes, CK_ULONG count);
  bool Lie(const Fault& fault, CK_OBJECT_HANDLE object, CK_ULONG room, CK_ATTRIBUTE& answer);
  void Trace(Function function, CK_RV rv) const;

  template <typename Call>
  CK_RV Inject(const Fault& fault, Function function, Nth nth, Call call) const {
    Record(fault, function, nth.total, true);
    switch (fault.mode) {
      case Mode::kFailAfter:
        (void)call(nth);
        return fault.rv;  // took effect, and nobody is told
      case Mode::kDieAfter:
        (void)call(nth);
        Die();
      case Mode::kDieBefore:
        Die();
      case Mode::kFill:
        FillDisk(fault.arg.value_or(0));
        return call(nth);
      case Mode::kHangAfter:
        (void)call(nth);
        [[fallthrough]];
      case Mode::kHang:
        for (;;) pause();
      default:
        return fault.rv;
    }
  }

  std::mutex mutex_;
  std::string loaded_;
  std::string plan_;
  std::string trace_;
  std::vector<Fault> faults_;
  View view_;
  CallCounts own_counts_{};
  CallCounts* counts_ = &own_counts_;
};

}  // namespace hsmops::test

// A PKCS#11 module in front of a real one that fails, lies, hangs or dies as a plan tells it.
//
//   KHSM_FAULT_MODULE  the real module; SoftHSM's if unset
//   KHSM_FAULT_PLAN    the plan; if unset, the file $SOFTHSM2_CONF.faults, so that each token of a
//                      cluster can have a plan of its own; no such file: only forwards
//   KHSM_FAULT_INIT    the text that C_Initialize gives the real module as its reserved argument;
//                      NSS's softokn does not start without one
//   KHSM_FAULT_TRACE   one line a call is appended here: pid, function, rv; never an argument
//
// fault.h has the plan's words. This file is the module's table of functions, injector.h what
// happens behind it.
#include <p11-kit/pkcs11.h>

#include <string>

#include "test/crash/injector.h"

namespace hsmops::test {
namespace {

Injector& TheInjector() {
  static auto* const injector = new Injector;  // outlives every other destructor of the process
  return *injector;
}

CK_RV GetFunctionList(CK_FUNCTION_LIST** list);

CK_RV Initialize(CK_FUNCTION_LIST& real, void* given) {
  std::string parameters = Env("KHSM_FAULT_INIT");
  if (parameters.empty()) return real.C_Initialize(given);
  // NSS reads the text where the standard has pReserved, and one pointer more behind it.
  struct {
    CK_C_INITIALIZE_ARGS standard;
    void* behind;
  } args{};
  if (given != nullptr) args.standard = *static_cast<CK_C_INITIALIZE_ARGS*>(given);
  args.standard.pReserved = parameters.data();
  return real.C_Initialize(&args);
}

// Forwards the call of one function, through the injector.
template <Function kWhich, auto kMember, typename Pointer>
struct Forward;
template <Function kWhich, auto kMember, typename... Args>
struct Forward<kWhich, kMember, CK_RV (*)(Args...)> {
  static CK_RV Call(Args... args) {
    Injector& injector = TheInjector();
    if constexpr (kWhich == Function::C_GetFunctionList) {
      return GetFunctionList(args...);
    } else if constexpr (kWhich == Function::C_GetAttributeValue) {
      return injector.GetAttributeValue(args...);
    } else if constexpr (kWhich == Function::C_FindObjectsInit) {
      return injector.FindObjectsInit(args...);
    } else if constexpr (kWhich == Function::C_FindObjects) {
      return injector.FindObjects(args...);
    } else if constexpr (kWhich == Function::C_FindObjectsFinal) {
      return injector.FindObjectsFinal(args...);
    } else if constexpr (kWhich == Function::C_Initialize) {
      injector.LoadReal();
      injector.LoadPlan();
      return injector.Intercept(kWhich, [&](Nth) { return Initialize(*injector.real, args...); });
    } else {
      return injector.Intercept(kWhich, [&](Nth) { return (injector.real->*kMember)(args...); });
    }
  }
};

CK_RV GetFunctionList(CK_FUNCTION_LIST** list) {
  if (list == nullptr) return CKR_ARGUMENTS_BAD;
  TheInjector().LoadReal();
  static CK_FUNCTION_LIST functions = [] {
    CK_FUNCTION_LIST ours{};
    ours.version = TheInjector().real->version;
#define KHSM_FORWARD(name) \
  ours.name =              \
      &Forward<Function::name, &CK_FUNCTION_LIST::name, decltype(CK_FUNCTION_LIST::name)>::Call;
    KHSM_PKCS11_FUNCTIONS(KHSM_FORWARD)
#undef KHSM_FORWARD
    return ours;
  }();
  *list = &functions;
  return CKR_OK;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  return GetFunctionList(list);
}

}  // namespace hsmops::test

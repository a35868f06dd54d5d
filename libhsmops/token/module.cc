#include "libhsmops/token/module.h"

#include <fmt/format.h>
#include <p11-kit/p11-kit.h>
#include <unistd.h>

#include <atomic>

#include "libhsmops/token/quirks.h"
#include "libhsmops/token/rv.h"

namespace hsmops::token {
namespace {

std::atomic<bool> loaded{false};

}  // namespace

base::Result<std::unique_ptr<Module>> Module::Load(const std::string& path) {
  if (access(path.c_str(), R_OK) != 0) {
    return base::Error(
        base::ErrorCode::kNotFound,
        fmt::format("PKCS#11 module {} cannot be read: install it or correct module-path", path));
  }
  if (loaded.exchange(true)) {
    return base::Error(base::ErrorCode::kInvalid,
                       "this process has a PKCS#11 module loaded already");
  }
  CK_FUNCTION_LIST* functions = p11_kit_module_load(path.c_str(), P11_KIT_MODULE_CRITICAL);
  if (functions == nullptr) {
    loaded = false;
    const char* why = p11_kit_message();
    return base::Error(base::ErrorCode::kInvalid,
                       fmt::format("{} is not a PKCS#11 module: {}", path,
                                   why == nullptr ? "no C_GetFunctionList" : why));
  }
  return std::unique_ptr<Module>(new Module(path, functions));
}

Module::~Module() {
  Finalize();
  p11_kit_module_release(functions_);
  loaded = false;
}

base::Result<void> Module::Initialize() {
  if (initialized_) return {};
  if (spoilt_) {
    return base::Error(base::ErrorCode::kUnavailable,
                       path_ + " uses a file of this process as its own: start the process again");
  }
  const CK_RV rv = p11_kit_module_initialize(functions_);
  if (rv == CKR_ARGUMENTS_BAD) {
    // NSS's softokn wants a text of its own as the reserved argument.
    return base::Error(base::ErrorCode::kInvalid,
                       path_ +
                           ": C_Initialize: CKR_ARGUMENTS_BAD: this module does not start without "
                           "arguments of its own, which are not given here; name another in "
                           "module-path");
  }
  if (rv != CKR_OK) return RvError("C_Initialize", rv).Within(path_);
  initialized_ = true;
  return {};
}

void Module::Finalize() {
  if (!initialized_) return;
  initialized_ = false;
  const OpenCryptokiLock lock;
  (void)p11_kit_module_finalize(
      functions_);  // a module that cannot finalize is initialised again all the same
  if (!lock.PutBack()) spoilt_ = true;
}

}  // namespace hsmops::token

// Module: the one PKCS#11 module of this process (protocol.md, 2), loaded by p11-kit.
//
// Loads exactly the file named, none of the modules registered on the machine. C_Initialize and
// C_Finalize are process-wide, hence one Module at a time: a second Load is kInvalid.
#pragma once

#include <p11-kit/pkcs11.h>

#include <memory>
#include <string>

#include "libhsmops/base/result.h"

namespace hsmops::token {

class Module {
 public:
  // kNotFound: no such file. kInvalid: not a PKCS#11 module, or one is loaded already.
  static base::Result<std::unique_ptr<Module>> Load(const std::string& path);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  base::Result<void> Initialize();
  void Finalize();  // ends every session; nothing to do if not initialised
  bool initialized() const { return initialized_; }
  CK_FUNCTION_LIST& functions() { return *functions_; }

 private:
  Module(std::string path, CK_FUNCTION_LIST* functions)
      : path_(std::move(path)), functions_(functions) {}
  std::string path_;
  CK_FUNCTION_LIST* functions_;
  bool initialized_ = false;
  bool spoilt_ = false;  // must not be initialised again
};

}  // namespace hsmops::token

// SoftHsmTokens: real tokens for a test, each with a folder and a softhsm2.conf of its own, as if
// each were plugged into another node. All of it goes away with the object.
//
// Making one costs about 10 ms; every case has its own. The tokens are made by a child process, so
// this process has not loaded the module when the test begins.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "test/support/temp_folder.h"

namespace hsmops::test {

inline constexpr const char* kSoftHsmModule = "/usr/lib/softhsm/libsofthsm2.so";

class SoftHsmToken {
 public:
  const std::string& label() const { return label_; }
  const std::string& serial() const { return serial_; }
  // "pkcs11:token=…?module-path=…&pin-source=file:…&x-softhsm-conf=…", complete by itself.
  std::string uri(const std::string& module = kSoftHsmModule) const;
  const std::string& folder() const { return folder_; }
  std::string conf() const { return folder_ + "/softhsm2.conf"; }
  std::string tokens_folder() const { return folder_ + "/tokens"; }
  std::string pin_path() const { return folder_ + "/pin"; }

  // The cable is pulled: its next view finds no token. Return puts back what was there.
  void Vanish();
  void Return();
  // A copy of everything on it, as it is now; and back to it.
  void SaveTo(const std::string& copy) const;
  void RestoreFrom(const std::string& copy);
  // One object as the older operator wrote it, by a tool of its own; nobody else may have the token
  // open.
  void WriteOlderObject(const std::string& label, const std::string& value) const;

 private:
  friend class SoftHsmTokens;
  std::string label_;
  std::string serial_;
  std::string folder_;
};

class SoftHsmTokens {
 public:
  // The reference stays good as long as the object.
  SoftHsmToken& Add(const std::string& label, const std::string& pin = "648219");
  const std::string& folder() const { return folder_.path(); }

 private:
  TempFolder folder_;
  std::vector<std::unique_ptr<SoftHsmToken>> tokens_;
};

// For a module's token: makes it through token_init, in an environment; returns the serial.
std::string InitToken(const std::string& module, const std::string& label,
                      const std::string& so_pin_path, const std::string& pin_path,
                      const std::map<std::string, std::string>& env,
                      const std::string& new_so_pin_path = "");

}  // namespace hsmops::test

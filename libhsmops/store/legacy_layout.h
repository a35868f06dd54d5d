// LegacyLayout: secrets as the older operator wrote them, read exactly and taken over by adopt.
//
// CKA_APPLICATION "hsm-secrets-operator"; one object a key with label "<secret>/<key>", and
// "<secret>/_metadata" with JSON. Names are matched whole: "app" is not a prefix of "app2" here.
// The key is what stands after the last "/"; a name that is not of our grammar is listed with the
// reason.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libhsmops/store/inventory.h"
#include "libhsmops/token/token.h"

namespace hsmops::store {

inline constexpr std::string_view kLegacyApplication = "hsm-secrets-operator";

class LegacyLayout {
 public:
  // Reads labels only. Any failed read is an error.
  static base::Result<LegacyLayout> Build(token::Token& token);

  bool Has(const std::string& name) const { return secrets_.contains(name); }
  std::vector<LegacyItem> Items() const;
  // kNotFound: no such secret. kInvalid: a key stands twice, or its name does not fit.
  base::Result<Keys> Read(token::Token& token, const std::string& name) const;
  // Destroys the secret's objects, metadata last. Stops at the first error; calling again goes on.
  base::Result<void> Destroy(token::Token& token, const std::string& name);

 private:
  struct Objects {
    std::map<std::string, std::vector<token::ObjectHandle>> keys;
    std::vector<token::ObjectHandle> metadata;
  };
  static std::string WhyNot(const std::string& name, const Objects& objects);
  std::map<std::string, Objects> secrets_;
};

}  // namespace hsmops::store

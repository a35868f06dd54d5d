// Object: one resource as an untyped document, so that headers need not know JSON.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/kind.h"

namespace hsmops::cluster {

// Which object: a kind, a namespace and a name that follow Kubernetes' rules.
struct ObjectKey {
  Kind kind = Kind::kHsmDevice;
  std::string ns;
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
};
// "HSMDevice hsm-system/payments", fit for a terminal.
std::string Describe(const ObjectKey& key);

// A document whose kind, name and namespace were checked once, when it was made, and which nothing
// changes since: copies share it. Never empty except after it was moved from.
class Object {
 public:
  // kInvalid: no map, a kind that is not ours, a name or namespace outside the rules, or text that
  // is not UTF-8. A missing namespace becomes "default".
  static base::Result<Object> From(nlohmann::json document);

  const ObjectKey& key() const { return key_; }
  const nlohmann::json& document() const { return *document_; }
  // metadata.resourceVersion and metadata.uid; empty when the document has none.
  std::string version() const;
  std::string uid() const;

  // The same object in all that is stored, resourceVersion included.
  bool operator==(const Object& other) const;

 private:
  Object(ObjectKey key, nlohmann::json document);

  ObjectKey key_;
  std::shared_ptr<const nlohmann::json> document_;
};

}  // namespace hsmops::cluster

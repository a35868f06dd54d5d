// RawStatus: a status that is written without being read as a type, for objects that cannot be.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "libhsmops/cluster/resource_store.h"

namespace hsmops::manager {

class RawStatus {
 public:
  explicit RawStatus(const cluster::Object& object);

  nlohmann::json& value() { return document_["status"]; }
  // Takes the place of one of that type (metav1.Condition), with the object's generation.
  void SetCondition(const std::string& type, const std::string& status, const std::string& reason,
                    const std::string& message, base::WallTime now);
  // By compare-and-swap. kInvalid: the store refuses the object as it is, whatever its status.
  base::Result<void> Write(cluster::ResourceStore& resources) const;

 private:
  const std::string version_;
  nlohmann::json document_;
};

// The items of the list at this pointer whose text `field` is another; empty where there is none.
nlohmann::json::array_t ItemsBut(const nlohmann::json& document, const char* pointer,
                                 const char* field, const std::string& value);

}  // namespace hsmops::manager

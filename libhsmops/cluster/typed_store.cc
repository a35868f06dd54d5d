#include "libhsmops/cluster/typed_store.h"

#include <nlohmann/json.hpp>

namespace hsmops::cluster {
namespace internal {

base::Result<Object> LoadObject(ResourceStore& store, const ObjectKey& key) {
  return store.Get(key.kind, key.ns, key.name).Within("reading " + Describe(key));
}

base::Result<Object> CreateFrom(ResourceStore& store, const nlohmann::json& document) {
  HSM_TRY(const Object object, Object::From(document));
  return store.Create(object).Within("creating " + Describe(object.key()));
}

base::Result<Object> SaveFrom(ResourceStore& store, const nlohmann::json& document,
                              std::string_view expected, bool status) {
  HSM_TRY(const Object object, Object::From(document));
  auto saved = status ? store.UpdateStatus(object, expected) : store.Update(object, expected);
  return std::move(saved).Within((status ? "writing the status of " : "writing ") +
                                 Describe(object.key()));
}

}  // namespace internal

base::Result<std::vector<HSMOperation>> ExpiredOperations(ResourceStore& store, std::string_view ns,
                                                          base::WallTime now) {
  HSM_TRY(auto loaded, LoadAll<HSMOperation>(store, ns));
  std::erase_if(loaded.items,
                [&](const HSMOperation& operation) { return !operation.Expired(now); });
  return std::move(loaded.items);
}

}  // namespace hsmops::cluster

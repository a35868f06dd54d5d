#include "libhsmops/cluster/typed_store.h"

#include <nlohmann/json.hpp>

namespace hsmops::cluster {
namespace internal {

base::Result<Object> LoadObject(ResourceStore& store, const ObjectKey& key) {
  return store.Get(key.kind, key.ns, key.name).Within("reading " + Describe(key));
}

template <typename T>
base::Result<Object> CreateFrom(ResourceStore& store, const T& value) {
  HSM_TRY(const Object object, Object::From(value.ToJson()));
  return store.Create(object).Within("creating " + Describe(object.key()));
}

template <typename T>
base::Result<Object> SaveFrom(ResourceStore& store, const T& value, bool status) {
  HSM_TRY(const Object object, Object::From(value.ToJson()));
  const std::string& expected = value.metadata.resource_version;
  auto saved = status ? store.UpdateStatus(object, expected) : store.Update(object, expected);
  return std::move(saved).Within((status ? "writing the status of " : "writing ") +
                                 Describe(object.key()));
}

template base::Result<Object> CreateFrom(ResourceStore&, const HSMDevice&);
template base::Result<Object> CreateFrom(ResourceStore&, const HSMSecret&);
template base::Result<Object> CreateFrom(ResourceStore&, const HSMOperation&);
template base::Result<Object> CreateFrom(ResourceStore&, const Lease&);
template base::Result<Object> CreateFrom(ResourceStore&, const Event&);
template base::Result<Object> SaveFrom(ResourceStore&, const HSMDevice&, bool);
template base::Result<Object> SaveFrom(ResourceStore&, const HSMSecret&, bool);
template base::Result<Object> SaveFrom(ResourceStore&, const HSMOperation&, bool);
template base::Result<Object> SaveFrom(ResourceStore&, const Lease&, bool);
template base::Result<Object> SaveFrom(ResourceStore&, const Event&, bool);

}  // namespace internal

base::Result<std::vector<HSMOperation>> ExpiredOperations(ResourceStore& store, std::string_view ns,
                                                          base::WallTime now) {
  HSM_TRY(auto loaded, LoadAll<HSMOperation>(store, ns));
  std::erase_if(loaded.items,
                [&](const HSMOperation& operation) { return !operation.Expired(now); });
  return std::move(loaded.items);
}

}  // namespace hsmops::cluster

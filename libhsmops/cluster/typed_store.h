// Typed convenience over a ResourceStore: Load<HSMDevice>(store, "hsm-system", "payments").
//
// `T` is one of resources.h. Errors are the store's, with the object named before them, or kCorrupt
// when a stored document does not pass T's validation.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/cluster/resources.h"

namespace hsmops::cluster {

namespace internal {
base::Result<Object> LoadObject(ResourceStore& store, const ObjectKey& key);
// For the five types of resources.h; the JSON between stays in typed_store.cc.
template <typename T>
base::Result<Object> CreateFrom(ResourceStore& store, const T& value);
template <typename T>
base::Result<Object> SaveFrom(ResourceStore& store, const T& value, bool status);

template <typename T>
base::Result<T> Read(base::Result<Object> object) {
  if (!object.ok()) return object.error();
  auto value = T::FromJson(object->document()).Within(Describe(object->key()));
  // What is stored is wrong, and not what was asked for.
  if (value.Is(base::ErrorCode::kInvalid))
    return base::Error(base::ErrorCode::kCorrupt, value.error().message());
  return value;
}
}  // namespace internal

template <typename T>
struct Loaded {
  std::vector<T> items;
  std::vector<base::Error>
      refused;  // documents that T does not accept, each named; never dropped in silence
  std::string version;
};

template <typename T>
base::Result<T> Load(ResourceStore& store, std::string_view ns, std::string_view name) {
  return internal::Read<T>(
      internal::LoadObject(store, {T::kKind, std::string(ns), std::string(name)}));
}

// nullopt: it is still as the one with this metadata.
template <typename T>
base::Result<std::optional<T>> LoadIfChanged(ResourceStore& store, const ObjectMeta& known) {
  HSM_TRY(Object object, internal::LoadObject(store, {T::kKind, known.ns, known.name}));
  const bool same = object.version() == known.resource_version && object.uid() == known.uid;
  if (same && !known.resource_version.empty()) return std::optional<T>();
  HSM_TRY(T now, internal::Read<T>(std::move(object)));
  return std::optional<T>(std::move(now));
}

// Of all namespaces when `ns` is empty.
template <typename T>
base::Result<Loaded<T>> LoadAll(ResourceStore& store, std::string_view ns) {
  HSM_TRY(const ObjectList list, store.List(T::kKind, ns));
  Loaded<T> loaded;
  loaded.items.reserve(list.items.size());
  loaded.version = list.version;
  for (const Object& object : list.items) {
    auto value = internal::Read<T>(object);
    if (value.ok()) {
      loaded.items.push_back(*std::move(value));
    } else {
      loaded.refused.push_back(value.error());
    }
  }
  return loaded;
}

// Stores `value` as a new object. kConflict: it exists.
template <typename T>
base::Result<T> CreateNew(ResourceStore& store, const T& value) {
  return internal::Read<T>(internal::CreateFrom(store, value));
}

// Compare-and-swap by value.metadata.resource_version; the status is not written.
template <typename T>
base::Result<T> Save(ResourceStore& store, const T& value) {
  return internal::Read<T>(internal::SaveFrom(store, value, false));
}

// Compare-and-swap of the status alone.
template <typename T>
base::Result<T> SaveStatus(ResourceStore& store, const T& value) {
  return internal::Read<T>(internal::SaveFrom(store, value, true));
}

// Those of a namespace that are past ttlSecondsAfterFinished; nothing removes them by itself.
base::Result<std::vector<HSMOperation>> ExpiredOperations(ResourceStore& store, std::string_view ns,
                                                          base::WallTime now);

}  // namespace hsmops::cluster

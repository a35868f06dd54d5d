// PassingStore: a resource store that hands everything on; tests override what is to go wrong.
#pragma once

#include <memory>

#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

class PassingStore : public cluster::ResourceStore {
 public:
  explicit PassingStore(cluster::ResourceStore& inner) : inner_(inner) {}
  base::Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                                    std::string_view name) override {
    return inner_.Get(kind, ns, name);
  }
  base::Result<cluster::Object> GetLatest(cluster::Kind kind, std::string_view ns,
                                          std::string_view name) override {
    return inner_.GetLatest(kind, ns, name);
  }
  base::Result<cluster::ObjectList> List(cluster::Kind kind, std::string_view ns) override {
    return inner_.List(kind, ns);
  }
  base::Result<cluster::Object> Create(const cluster::Object& object) override {
    return inner_.Create(object);
  }
  base::Result<cluster::Object> Update(const cluster::Object& object,
                                       std::string_view expected) override {
    return inner_.Update(object, expected);
  }
  base::Result<cluster::Object> UpdateStatus(const cluster::Object& object,
                                             std::string_view expected) override {
    return inner_.UpdateStatus(object, expected);
  }
  base::Result<void> Delete(cluster::Kind kind, std::string_view ns, std::string_view name,
                            std::optional<std::string_view> expected) override {
    return inner_.Delete(kind, ns, name, expected);
  }
  base::Result<std::unique_ptr<cluster::Watch>> OpenWatch(cluster::Kind kind, std::string_view ns,
                                                          std::string_view from) override {
    return inner_.OpenWatch(kind, ns, from);
  }

 private:
  cluster::ResourceStore& inner_;
};

// The same world, whose record is reached this way.
inline World WorldOver(World& world, cluster::ResourceStore& resources) {
  return World{resources, world.clock, world.rng, world.executor, world.make_member};
}

}  // namespace hsmops::manager

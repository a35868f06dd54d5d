// KubeResourceStore: a cluster's state in a Kubernetes API server.
//
// Lists are read in pages; a watch asks for bookmarks, resumes where it was when its stream ends,
// and begins anew (kResync) when the server has forgotten that place. 429 is honoured with its
// Retry-After until the time of the request is over. A write whose answer is lost, or that the
// server answers with 5xx, is in doubt: it may have taken effect.
//
// Thread-safe. Source: Kubernetes API concepts ("Efficient detection of changes", "Retrieving large
// results sets in chunks") and API conventions.
#pragma once

#include <memory>

#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/kube/api_status.h"
#include "libhsmops/kube/rest_client.h"

namespace hsmops::kube {

inline constexpr std::chrono::seconds kRequestTimeout{10};

class KubeResourceStore : public cluster::ResourceStore {
 public:
  // `clock` must outlive it. `timeout`: of one request, as --request-timeout.
  KubeResourceStore(std::shared_ptr<RestClient> client, base::Clock& clock,
                    base::Duration timeout = kRequestTimeout)
      : client_(std::move(client)), clock_(clock), timeout_(timeout) {}

  base::Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                                    std::string_view name) override;
  base::Result<cluster::ObjectList> List(cluster::Kind kind, std::string_view ns) override;
  base::Result<cluster::Object> Create(const cluster::Object& object) override;
  base::Result<cluster::Object> Update(const cluster::Object& object,
                                       std::string_view expected) override;
  base::Result<cluster::Object> UpdateStatus(const cluster::Object& object,
                                             std::string_view expected) override;
  base::Result<void> Delete(cluster::Kind kind, std::string_view ns, std::string_view name,
                            std::optional<std::string_view> expected) override;
  base::Result<std::unique_ptr<cluster::Watch>> OpenWatch(cluster::Kind kind, std::string_view ns,
                                                          std::string_view from) override;

 private:
  friend class KubeWatch;
  struct Page {
    std::vector<cluster::Object> items;
    std::string version;
    std::string next;  // the continue token; empty: the last
  };

  base::Result<RestAnswer> Ask(const ApiVerb& asked, RestRequest request);
  base::Result<cluster::Object> Write(const ApiVerb& asked, std::string method, std::string path,
                                      const cluster::Object& object, std::string_view version);
  base::Result<Page> ReadPage(cluster::Kind kind, std::string_view ns, const std::string& next);

  const std::shared_ptr<RestClient> client_;
  base::Clock& clock_;
  const base::Duration timeout_;
};

// "/apis/hsm.j5t.io/v1alpha1/namespaces/hsm-system/hsmdevices/payments"; without `ns` of all
// namespaces, without `name` the collection.
std::string PathOf(cluster::Kind kind, std::string_view ns, std::string_view name = {});
// What is asked for: of a Secret its metadata alone, so that no value is ever sent here.
std::string AcceptFor(cluster::Kind kind, bool list);
// "hsmdevices.hsm.j5t.io"
std::string ResourceOf(cluster::Kind kind);

}  // namespace hsmops::kube

// AggregatedClient: the client's end of the live API behind an API server's aggregation layer.
//
// Errors carry the code that the manager gave; what the API server itself answers is mapped as
// kube::ErrorOf has it. kUnavailable also: the API is not served, with the line that shows it.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/base/executor.h"
#include "libhsmops/kube/api_status.h"
#include "libhsmops/manager/reader.h"
#include "libhsmops/manager/set_aside.h"
#include "libhsmops/mirror/apply.h"

namespace hsmops::manager {

// Not thread-safe.
class AggregatedClient {
 public:
  // Told of each Warning header; may be empty.
  using Warned = std::function<void(const std::string&)>;

  // All must outlive it. `timeout`: of one request. Nothing is asked after `deadline`.
  AggregatedClient(kube::RestClient& client, base::Clock& clock, base::Executor& executor,
                   std::string ns, base::Duration timeout, base::TimePoint deadline,
                   Warned warned = {})
      : client_(client),
        clock_(clock),
        executor_(executor),
        ns_(std::move(ns)),
        timeout_(timeout),
        deadline_(deadline),
        warned_(std::move(warned)) {}

  // The MirroredSecrets of a device or, where it is empty, of all of the namespace.
  base::Result<std::vector<nlohmann::json>> List(const std::string& device);
  // A DeviceHealth as an HSMDevice, its status.checks beside it.
  base::Result<nlohmann::json> Health(const std::string& device);
  base::Result<nlohmann::json> Diff(const std::string& device, const std::string& left,
                                    const std::string& right);
  base::Result<SetAsideSearch> FindSetAside(const std::string& device,
                                            const SetAsideFilter& filter);
  base::Result<store::Secret> ReadSetAside(const std::string& device, const SetAside& one);
  // kNotFound: there surely is none. With its values where they are read.
  base::Result<Served> Get(const std::string& device, const store::SecretName& name);
  // As LiveService's.
  std::vector<base::Result<mirror::Acknowledged>> Put(const std::string& device,
                                                      std::vector<store::Write> writes,
                                                      const mirror::Progress& progress);
  // Whether a write would be taken now; nothing is written.
  base::Result<void> Probe(const std::string& device);

 private:
  struct Asked {
    kube::ApiVerb verb;
    std::string path;  // below the namespace
    std::string method = "GET";
    base::SecretBytes body = {};
    bool dry = false;  // nothing comes of it
  };
  base::Result<Served> ReadValue(const std::string& device, const store::SecretName& name,
                                 const std::string& query) const;
  struct Called {
    base::Result<kube::RestAnswer> answer;
    bool in_vain = false;  // its time was over before there was one
  };
  Called Call(const Asked& asked) const;
  bool AnotherMay(const Called& called) const;
  base::Result<base::SecretBytes> Ask(const Asked& asked) const;
  base::Result<nlohmann::json> AskForJson(const Asked& asked) const;
  base::Result<void> FreshenStamp(const std::string& device, const store::SecretName& name,
                                  bool removes);
  base::Result<mirror::Acknowledged> PutOne(const std::string& device,
                                            const store::Write& write) const;
  Asked Write(const std::string& device, const store::Write& write) const;

  kube::RestClient& client_;
  base::Clock& clock_;
  base::Executor& executor_;
  const std::string ns_;
  const base::Duration timeout_;
  const base::TimePoint deadline_;
  const Warned warned_;
  std::string stamp_;
  base::TimePoint stamped_{};
};

}  // namespace hsmops::manager

// Vitals: what a manager says of itself and of its devices to whoever watches it: health pages and
// metrics.
//
// Pages are of the last look at the resources, so that they are answered at once whoever is slow.
// The series of devices come from the replica that leads, so that each is there once. Thread-safe.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/net/health_page.h"
#include "libhsmops/net/http_metrics.h"
#include "libhsmops/net/http_server.h"

namespace hsmops::manager {

enum class Loop : std::uint8_t { kElection, kRelay, kControl, kLook };
inline constexpr std::size_t kLoops = 4;

class Vitals {
 public:
  // Of the devices of this namespace. Both must outlive it.
  Vitals(std::string ns, const base::Clock& clock, net::CredentialSource& credentials);
  ~Vitals();

  void Turned(Loop loop);
  void Led(bool leads, const std::string& leader);
  void Saw(base::Result<cluster::Loaded<cluster::HSMDevice>> devices);
  void Synced(const std::string& device, base::Duration time, bool whole);
  void TookTurn(const std::string& device, base::Duration time);
  void Answered(const std::string& route, int status, base::Duration time);

  // `server`: whose refusals are counted.
  net::Reply Page(std::string_view path, const net::HttpServer* server);

 private:
  struct Metrics;
  net::HealthReport Report() const;
  net::HealthPart Resources() const;
  net::HealthPart Live() const;
  void AddDevices(net::HealthReport& report) const;
  void CountHistory(const cluster::HSMDevice& device);
  net::Reply MetricsPage(const net::HttpServer* server);

  // Those that its series of a device carry.
  std::map<std::string, std::string> LabelsOf(const std::string& device) const {
    return {{"namespace", ns_}, {"device", device}};
  }

  const std::string ns_;
  const base::Clock& clock_;
  const base::WallTime began_;
  net::CredentialSource& credentials_;
  std::unique_ptr<Metrics> metrics_;
  mutable std::mutex mutex_;
  std::array<base::TimePoint, kLoops> turned_;
  bool leads_ = false;
  std::string leader_;
  std::optional<base::Error> unseen_;  // why the last look saw nothing
  bool looked_ = false;
  std::vector<cluster::HSMDevice> devices_;
  std::vector<std::string> refused_;                      // devices that cannot be read, and why
  std::map<std::string, std::set<std::string>> counted_;  // of each device's history
};

}  // namespace hsmops::manager

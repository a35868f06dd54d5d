// LiveApi: what a manager answers its clients over HTTPS: secrets of a device, written and read;
// and the client's own end of it. Values travel nowhere else than here and to the agents.
//
// POST /v1/devices/NAMESPACE/NAME/ and put, get or stamp; bodies as agent/message.h has it.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "libhsmops/manager/fronts.h"
#include "libhsmops/net/http_message.h"
#include "libhsmops/net/lane.h"
#include "libhsmops/net/transport.h"

namespace hsmops::manager {

inline constexpr const char* kLiveContentType = "application/vnd.khsm.live";
inline constexpr std::size_t kMaxLiveBody = std::size_t{32} << 20;

// Writes wait for mirrors, and reads and stamps are not to wait for writes.
std::vector<net::LaneLimits> LiveLanes();

// Thread-safe.
class LiveApi {
 public:
  // `fronts` must outlive it.
  explicit LiveApi(Fronts& fronts) : fronts_(fronts) {}

  // Decides by the header alone, as net::Router wants it. Managers may do everything, readers get.
  std::variant<net::Route, net::Reply> Find(const net::Received& head);

 private:
  struct Place {
    std::string ns;
    std::string device;
    std::string verb;
    auto operator<=>(const Place&) const = default;
  };
  static std::optional<Place> Parse(std::string_view target);
  net::Reply Answer(const Place& place, net::Received&& request);

  Fronts& fronts_;
};

// The client's end. Thread-safe if the transport is.
class LiveClient {
 public:
  // All must outlive it. `patience`: for one request.
  LiveClient(net::Transport& transport, net::Peer manager, base::Clock& clock, std::string ns,
             std::string device, base::Duration patience)
      : transport_(transport),
        manager_(std::move(manager)),
        clock_(clock),
        path_("/v1/devices/" + ns + "/" + device + "/"),
        patience_(patience) {}

  // To be taken when a write is first asked for, and kept with its opId: the two together are the
  // write, however often it is sent.
  base::Result<mirror::Stamp> TakeStamp();
  // Errors as Front's; kInDoubt also when the manager's answer was lost.
  base::Result<std::vector<base::Result<mirror::Acknowledged>>> Put(
      const mirror::Stamp& stamp, const std::vector<store::Write>& writes);
  // kUnavailable: the manager did not answer.
  base::Result<Served> Get(const store::SecretName& name);

 private:
  base::Result<base::SecretBytes> Ask(const std::string& verb, base::SecretBytes body);

  net::Transport& transport_;
  const net::Peer manager_;
  base::Clock& clock_;
  const std::string path_;
  const base::Duration patience_;
};

}  // namespace hsmops::manager

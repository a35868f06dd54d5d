// Vitals: what an agent says of itself to whoever watches it: health pages and metrics.
//
// Pages are of the last look, so that they are answered at once whatever the token is busy with;
// only /primary asks the gate. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "libhsmops/mirror/member.h"
#include "libhsmops/net/health_page.h"
#include "libhsmops/net/http_metrics.h"
#include "libhsmops/net/http_server.h"

namespace hsmops::agent {

// A look that is older says that the loop which takes it hangs. It waits for its turn at the token,
// which on a slow card is long while a view is read; a call that hangs is the watchdog's to end.
inline constexpr std::chrono::minutes kOldLook{15};

class Vitals {
 public:
  // `node` is a label of every series; `gate_open` is asked by every reader. All must outlive it.
  Vitals(std::string node, const base::Clock& clock, std::function<bool()> gate_open,
         net::CredentialSource& credentials);
  ~Vitals();

  // `function`: a literal.
  void Called(const char* function, base::Duration time);
  void Answered(const std::string& route, int status, base::Duration time);
  void Saw(const mirror::MemberStatus& status);

  // `server`: whose refusals are counted.
  net::Reply Page(std::string_view path, const net::HttpServer* server);

 private:
  struct Metrics;
  net::HealthReport Report() const;
  net::HealthPart Token() const;
  net::HealthPart Certificate() const;

  const std::string node_;
  const base::Clock& clock_;
  const std::function<bool()> gate_open_;
  net::CredentialSource& credentials_;
  std::unique_ptr<Metrics> metrics_;
  mutable std::mutex mutex_;
  std::optional<mirror::MemberStatus> seen_;
  base::TimePoint seen_at_{};
};

}  // namespace hsmops::agent

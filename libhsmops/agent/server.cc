#include "libhsmops/agent/server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "libhsmops/agent/replicating_agent.h"
#include "libhsmops/agent/routes.h"
#include "libhsmops/agent/vitals.h"
#include "libhsmops/base/file.h"
#include "libhsmops/net/curl_transport.h"
#include "libhsmops/net/http_server.h"
#include "libhsmops/store/ledger.h"
#include "libhsmops/token/pkcs11_token.h"

namespace hsmops::agent {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr int kHungServerExit = 75;  // EX_TEMPFAIL of sysexits.h
constexpr std::chrono::milliseconds kStopLook{100};
constexpr std::chrono::milliseconds kWatchPeriod{1000};
constexpr std::chrono::milliseconds kCollectBudget{20};
constexpr std::chrono::seconds kCollectPause{1};
constexpr std::chrono::seconds kStopPatience{10};
constexpr std::chrono::seconds kFinishWrites{5};
constexpr std::chrono::milliseconds kWriteLook{10};
// Another process has it; each look tries again, and none is to hold up the end for long.
constexpr std::chrono::seconds kTokenWait{1};

// In the order of RouteLane.
std::vector<net::LaneLimits> Lanes() {
  return {{"at-once", 2, 64}, {"waiting", 32, 64}, {"token", 1, 64},
          {"turns", 1, 4},    {"changes", 2, 8},   {"reads", 8, 64}};
}

class Running {
 public:
  Result<void> Open(const ServerConfig& config, const std::atomic<bool>& stop,
                    const ServerLog& log) {
    HSM_TRY(credentials_, net::CredentialSource::Open(config.credentials, clock_, log));
    const net::Identity self = credentials_->Current()->identity();
    if (self.role != net::Role::kMember) {
      return Error(ErrorCode::kInvalid,
                   fmt::format("the certificate {} is that of {}, not of a member: issue one with "
                               "kubectl hsm certs issue --member NODE",
                               config.credentials.cert, self.text()));
    }
    HSM_TRY(token::Uri uri, token::Uri::Parse(config.token));
    WarnIfShared(uri.pin_path, log);
    HSM_RETURN_IF_ERROR(base::MakeFolders(config.state_folder, 0700));
    HSM_RETURN_IF_ERROR(TakeLock(config, stop));
    HSM_TRY(ledger_, store::Ledger::Open(config.state_folder + "/ledger"));
    token::Pkcs11Options options;
    options.state_folder = config.state_folder;
    options.lock_wait = kTokenWait;
    options.call_limit = std::chrono::duration_cast<std::chrono::milliseconds>(config.call_limit);
    vitals_.emplace(
        self.name, clock_, [this] { return agent_ && agent_->GateOpen(); }, *credentials_);
    options.on_call = [this](const char* function, base::Duration time) {
      vitals_->Called(function, time);
    };
    options.on_hung = [log](const std::string& function) {
      log("warning", fmt::format("Hung: {} did not return; this process ends", function));
      _exit(kHungServerExit);
    };
    HSM_TRY(token_, token::Pkcs11Token::Open(std::move(uri), std::move(options), clock_, rng_));
    const store::Uid pool = PoolUidOf(self.pool);
    transport_.emplace(*credentials_, clock_);
    agent_.emplace(pool, store::MemberUid(pool, self.name), self.name, *token_, *ledger_, clock_,
                   rng_, executor_,
                   [this, self](const store::Uid&, const mirror::PeerAddress& address) {
                     return ReachMember(*transport_, self.pool, address.node, address.url, clock_);
                   });
    routes_.emplace(*agent_, [this] { return agent_->GateOpen(); });
    return {};
  }

  Result<net::Listening> Listen(const ServerConfig& its, const ServerLog& log) {
    net::ServerConfig config;
    config.listen = its.listen;
    config.answered = [this](const std::string& route, int status, base::Duration time) {
      vitals_->Answered(route, status, time);
    };
    config.lanes = Lanes();
    // Members and managers ask as fast as they work; what one of them may have at once is limited
    // by lanes and connections.
    config.limits.admission.requests_per_identity = {20'000, 20'000};
    HSM_TRY(server_, net::HttpServer::Start(
                         std::move(config), *credentials_, clock_,
                         [this](const net::Received& head) { return Find(head); },
                         [log](const std::string& line) { log("warning", line); }));
    net::Listening listening{server_->address(), ""};
    if (its.status_listen.empty()) return listening;
    HSM_TRY(pages_, net::StatusServer::Start(its.status_listen, [this](std::string_view path) {
              return vitals_->Page(path, server_.get());
            }));
    listening.status = pages_->address();
    return listening;
  }

  void RunUntil(const std::atomic<bool>& stop, const ServerLog& log) {
    base::TimePoint watch = clock_.Now();
    base::TimePoint collect = watch;
    while (!stop) {
      clock_.SleepFor(kStopLook);
      const base::TimePoint now = clock_.Now();
      if (now >= watch) {
        watch = now + kWatchPeriod;
        Look(log);
      }
      if (now >= collect && !stop) {
        const auto report = agent_->Collect(kCollectBudget);
        collect = now + (report.ok() && report->more ? base::Duration(0) : kCollectPause);
      }
    }
    FinishWrites();
    (void)agent_->Quiesce(kStopPatience);
    transport_->Stop();  // a mirror that hangs does not hold up the end
    server_->Stop(clock_.Now() + kStopPatience);
  }

 private:
  // A pod's secret volume is like that, so it is no error.
  static void WarnIfShared(const std::string& pin_path, const ServerLog& log) {
    struct stat st{};
    if (pin_path.empty() || stat(pin_path.c_str(), &st) != 0 || (st.st_mode & S_IROTH) == 0) return;
    log("warning",
        fmt::format("the PIN file {} may be read by everybody on this host: chmod 0600", pin_path));
  }

  // In short waits, so that it can be asked to stop meanwhile.
  Result<void> TakeLock(const ServerConfig& config, const std::atomic<bool>& stop) {
    const base::TimePoint deadline = clock_.Now() + config.lock_wait;
    while (true) {
      const base::TimePoint until = std::min(deadline, clock_.Now() + kStopLook);
      auto lock = base::FileLock::Take(config.state_folder + "/lock", "the agent", clock_, until);
      if (lock.ok()) {
        lock_ = *std::move(lock);
        return {};
      }
      if (!lock.Is(ErrorCode::kUnavailable) || until >= deadline || stop) return lock.error();
    }
  }

  void Look(const ServerLog& log) {
    (void)credentials_->Current();  // so that a change of its files is noticed and told
    agent_->Watch();
    const auto status = agent_->Status(false);
    if (!status.ok()) return;
    vitals_->Saw(*status);
    // At the beginning, and when it is another.
    const std::string why = status->WhyUnhealthy();
    if (said_ == why) return;
    said_ = why;
    if (why.empty()) {
      log("info", fmt::format("the token is usable and holds {} secrets", status->secrets));
    } else {
      log("warning", "the token cannot be used: " + why);
    }
  }

  // Those in flight are acknowledged if their mirrors confirm them in time; the others are in
  // doubt.
  void FinishWrites() {
    agent_->RefuseWrites();
    const base::TimePoint until = clock_.Now() + kFinishWrites;
    while (agent_->Writes() && clock_.Now() < until) clock_.SleepFor(kWriteLook);
  }

  // Who belongs to the pool may see how it is.
  std::variant<net::Route, net::Reply> Find(const net::Received& head) {
    if (head.method == "GET") return vitals_->Page(net::PathOf(head.target), nullptr);
    return routes_->Find(head);
  }

  base::SystemClock clock_;
  base::SystemRng rng_;
  base::ThreadExecutor executor_;
  std::unique_ptr<net::CredentialSource> credentials_;
  std::optional<Vitals> vitals_;
  std::optional<base::FileLock> lock_;
  std::optional<store::Ledger> ledger_;
  std::unique_ptr<token::Pkcs11Token> token_;
  std::optional<net::CurlTransport> transport_;
  std::optional<ReplicatingAgent> agent_;
  std::optional<Routes> routes_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::StatusServer> pages_;
  std::optional<std::string> said_;  // last, of the token
};

}  // namespace

store::Uid PoolUidOf(const std::string& trust_domain) {
  const base::Digest digest = base::Sha256({base::AsBytes("pool"), base::AsBytes(trust_domain)});
  store::Uid uid{};
  std::copy_n(digest.begin(), uid.size(), uid.begin());
  return uid;
}

Result<void> RunAgent(const ServerConfig& config, const std::atomic<bool>& stop,
                      const std::function<void(const net::Listening&)>& ready,
                      const ServerLog& log) {
  Running running;
  HSM_RETURN_IF_ERROR(running.Open(config, stop, log));
  HSM_TRY(const net::Listening listening, running.Listen(config, log));
  ready(listening);
  running.RunUntil(stop, log);
  return {};
}

}  // namespace hsmops::agent

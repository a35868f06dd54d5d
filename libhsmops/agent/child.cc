#include "libhsmops/agent/child.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "libhsmops/agent/agent.h"
#include "libhsmops/agent/frame.h"
#include "libhsmops/agent/message.h"
#include "libhsmops/agent/subprocess.h"
#include "libhsmops/agent/voice.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/hardening.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/token/pkcs11_token.h"

namespace hsmops::agent {

template <typename A>
void Fields(A& a, ChildConfig& v) {
  a(v.uri, v.pool, v.member, v.state_folder, v.lock_wait, v.call_limit);
}

namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;

constexpr int kHungExit = 75;  // EX_TEMPFAIL of sysexits.h
constexpr int kBeats = 4;      // signs of life in the time that one call may take
constexpr std::chrono::milliseconds kWatchInterval{1000};
constexpr std::chrono::milliseconds kFirstBackoff{50};
constexpr std::chrono::milliseconds kLongestBackoff{2000};
constexpr std::chrono::milliseconds kEndWait{2000};

// To a request that asks for a secret kNotFound would say that there is none, and nobody has
// looked.
SecretBytes UnopenedAnswer(const Error& error) {
  const bool missing = error.code() == ErrorCode::kNotFound;
  Out out;
  out(Result<bool>(Error(missing ? ErrorCode::kUnavailable : error.code(), error.message())));
  return std::move(out).Take();
}

// What the child serves with: the ledger at once, the token when the first request wants it, so
// that what this member was told can be asked also where its token hangs or is not there.
class Served {
 public:
  Served(const ChildConfig& config, Voice& voice) : config_(config), voice_(voice) {
    remembers_ = Remember();
  }

  SecretBytes Answer(base::ByteView request) {
    if (!remembers_.ok()) return UnopenedAnswer(remembers_.error());
    if (AsksTold(request)) {
      Out out;
      out(ToldOf(ledger_->state(), config_.pool, config_.member));
      return std::move(out).Take();
    }
    if (!opened_) opened_ = OpenToken();
    return opened_->ok() ? Serve(*agent_, request) : UnopenedAnswer(opened_->error());
  }

  bool watches() const { return agent_.has_value(); }
  void Watch() { agent_->Watch(); }

 private:
  Result<void> Remember();
  Result<void> OpenToken();

  const ChildConfig& config_;
  Voice& voice_;
  base::SystemClock clock_;
  base::SystemRng rng_;
  Result<void> remembers_;
  std::optional<Result<void>> opened_;  // unset: nobody has wanted it
  std::optional<base::FileLock> lock_;  // of the state folder
  std::optional<store::Ledger> ledger_;
  std::unique_ptr<token::Pkcs11Token> token_;
  std::optional<Agent> agent_;
};

Result<void> Served::Remember() {
  HSM_RETURN_IF_ERROR(base::MakeFolders(config_.state_folder, 0700));
  // The child of a killed command may still be ending its write: the ledger is its until then.
  HSM_TRY(lock_, base::FileLock::Take(config_.state_folder + "/lock", "the token's process", clock_,
                                      clock_.Now() + config_.lock_wait));
  HSM_TRY(ledger_, store::Ledger::Open(config_.state_folder + "/ledger"));
  return {};
}

Result<void> Served::OpenToken() {
  HSM_TRY(token::Uri uri, token::Uri::Parse(config_.uri));
  token::Pkcs11Options options;
  options.state_folder = config_.state_folder;
  options.lock_wait = config_.lock_wait;
  options.call_limit = std::chrono::duration_cast<std::chrono::milliseconds>(config_.call_limit);
  options.on_hung = [this](const std::string& function) {
    Out out;
    out(kHungMark, fmt::format("Hung: {} did not return; the token's process was ended", function));
    (void)voice_.Answer(std::move(out).Take().view());  // else the parent sees the closed pipe
    _exit(kHungExit);
  };
  HSM_TRY(token_, token::Pkcs11Token::Open(std::move(uri), std::move(options), clock_, rng_));
  agent_.emplace(config_.pool, config_.member, *token_, *ledger_, clock_, rng_);
  return {};
}

}  // namespace

int RunChild(int socket) {
  base::Harden();
  auto first = ReceiveFrame(socket, kMaxFrameBytes);
  if (!first.ok()) return EXIT_FAILURE;
  In in(first->view());
  const auto config = in.Make<ChildConfig>();
  if (!in.reader().Finish("configuration").ok()) return EXIT_FAILURE;
  Voice voice(socket,
              std::chrono::duration_cast<std::chrono::milliseconds>(config.call_limit) / kBeats);
  Served served(config, voice);
  for (;;) {
    if (served.watches() && !WaitForFrame(socket, kWatchInterval)) {
      served.Watch();
      continue;
    }
    const auto request = ReceiveFrame(socket, kMaxFrameBytes);
    if (!request.ok()) return EXIT_SUCCESS;  // the parent closed the pipe or is gone
    voice.BeginWork();
    if (!voice.Answer(served.Answer(request->view()).view()).ok()) return EXIT_SUCCESS;
  }
}

namespace {

class ChildChannel : public Channel {
 public:
  ChildChannel(std::string program, ChildConfig config, base::Duration answer_limit,
               base::Clock& clock)
      : program_(std::move(program)),
        config_(std::move(config)),
        answer_limit_(answer_limit),
        clock_(clock) {}
  ~ChildChannel() override { process_.End(kEndWait, clock_); }

  Result<SecretBytes> Call(SecretBytes request) override {
    const std::lock_guard lock(mutex_);
    if (clock_.Now() < hung_until_ && !AsksTold(request.view())) {
      return Error(ErrorCode::kUnavailable,
                   "Hung: the token's process was ended and is not started again yet");
    }
    HSM_RETURN_IF_ERROR(EnsureRunning());
    if (auto sent = SendFrame(process_.socket(), request.view(), clock_, clock_.Now() + Silence());
        !sent.ok()) {
      process_.End({}, clock_);
      hung_until_ = clock_.Now() + config_.call_limit;
      return Error(ErrorCode::kInDoubt,
                   "the token's process takes no request: " + sent.error().message());
    }
    auto answer = AwaitAnswer();
    const bool hung = answer.ok() && !answer->view().empty() && answer->view()[0] == kHungMark;
    if (answer.ok() && !hung) {
      backoff_ = kFirstBackoff;
      return answer;
    }
    const bool late = answer.Is(ErrorCode::kLimit);
    const std::string how = process_.End({}, clock_);
    if (!hung && !late)
      return Error(ErrorCode::kInDoubt, fmt::format("the token's process ended ({})", how));
    hung_until_ = clock_.Now() + config_.call_limit;
    return Error(
        ErrorCode::kInDoubt,
        hung ? HungText(answer->view()) : "Hung: the token's process gave no answer and was ended");
  }

 private:
  // How long a process that works may say nothing: longer than one call may take, of which it
  // reports itself.
  base::Duration Silence() const { return config_.call_limit * 2; }

  Result<SecretBytes> AwaitAnswer() {
    const base::TimePoint deadline = clock_.Now() + answer_limit_;
    for (;;) {
      const base::TimePoint until = std::min(deadline, clock_.Now() + Silence());
      auto frame = ReceiveFrame(process_.socket(), kMaxFrameBytes, clock_, until);
      if (!frame.ok() || frame->view().empty() || frame->view()[0] != kAliveMark) return frame;
    }
  }

  static std::string HungText(base::ByteView frame) {
    In in(frame.subspan(1));
    return base::Printable(in.Make<std::string>());
  }

  Result<void> EnsureRunning() {
    if (process_.running()) return {};
    if (const base::TimePoint now = clock_.Now(); now < not_before_)
      clock_.SleepFor(not_before_ - now);
    not_before_ = clock_.Now() + backoff_;
    backoff_ = std::min<base::Duration>(backoff_ * 2, kLongestBackoff);
    HSM_TRY(process_, Subprocess::Start(program_, kChildVerb));
    Out out;
    out(config_);
    if (auto sent = SendFrame(process_.socket(), std::move(out).Take().view()); !sent.ok()) {
      process_.End({}, clock_);
      return sent;
    }
    return {};
  }

  std::mutex mutex_;
  std::string program_;
  ChildConfig config_;
  base::Duration answer_limit_;
  base::Clock& clock_;
  Subprocess process_;
  base::TimePoint not_before_{};
  base::TimePoint hung_until_{};
  base::Duration backoff_ = kFirstBackoff;
};

}  // namespace

std::unique_ptr<Channel> MakeChildChannel(std::string program, ChildConfig config,
                                          base::Duration answer_limit, base::Clock& clock) {
  return std::make_unique<ChildChannel>(std::move(program), std::move(config), answer_limit, clock);
}

}  // namespace hsmops::agent

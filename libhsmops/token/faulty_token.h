// FaultyToken: a Token in front of another that fails, lies or dies at one call, for tests and the
// simulator. Calls are counted from 1 since Arm; a run that ends with fired() false has had them
// all.
//
// After "the process died" every call fails for good: the test crashes the inner token, throws this
// object away and looks at what is there through a new store.
#pragma once

#include <map>

#include "libhsmops/token/token.h"

namespace hsmops::token {

struct Fault {
  enum class Kind : std::uint8_t {
    kFailBefore,  // the call has no effect
    kFailAfter,   // the call takes effect and its answer is lost
    kDieBefore,   // the process ends before the call, or
    kDieAfter,    // right after its effect
    kTruncate,    // Read: the last byte is missing
    kFlip,        // Read: one bit in the middle is the other way round
    kEmpty,       // Read: no bytes
    kStale,       // Read: what the Read before answered
  };
  Kind kind = Kind::kFailBefore;
  std::uint64_t call = 1;   // the lies count calls of Read only
  std::uint64_t times = 1;  // so many calls in a row; 0: from then on
  bool ends_view = true;    // CKR_DEVICE_ERROR; otherwise CKR_FUNCTION_FAILED
};

class FaultyToken : public Token {
 public:
  // `inner` must outlive it.
  explicit FaultyToken(Token& inner) : inner_(inner) {}

  void Arm(std::optional<Fault> fault);
  bool fired() const { return fired_; }
  bool dead() const { return dead_; }
  std::uint64_t calls() const { return calls_; }

  const Profile& profile() const override { return inner_.profile(); }
  base::Result<void> Refresh() override;
  std::uint64_t view() const override { return inner_.view(); }
  bool view_lost() const override { return lost_ || inner_.view_lost(); }
  base::Result<Status> ReadStatus() override;
  base::Result<void> Watch() override;
  base::Result<base::Bytes> Random(std::size_t size) override;
  base::Result<std::vector<ObjectHandle>> Find(std::string_view application) override;
  base::Result<std::vector<ObjectHandle>> FindLabel(std::string_view application,
                                                    std::string_view label) override;
  base::Result<StoredObject> Read(ObjectHandle object) override;
  base::Result<std::string> ReadLabel(ObjectHandle object) override;
  base::Result<ObjectHandle> Create(std::string_view application, std::string_view label,
                                    base::ByteView value) override;
  base::Result<void> Destroy(ObjectHandle object) override;
  base::Result<void> Barrier() override;
  base::Result<void> SyncAll() override;
  base::Result<std::uint64_t> CollectGhosts() override;

 private:
  template <typename Call>
  auto Intercept(const char* function, Call call) -> decltype(call());
  base::Error Failure(const char* function);

  Token& inner_;
  std::optional<Fault> fault_;
  std::uint64_t calls_ = 0;
  std::uint64_t reads_ = 0;
  bool fired_ = false;
  bool dead_ = false;
  bool lost_ = false;
  base::SecretBytes last_read_;
};

}  // namespace hsmops::token

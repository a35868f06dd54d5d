// History: what clients asked and were told, and the checks on it. Knows versions and labels, and
// nothing of the code that keeps them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "test/sim/cluster.h"

namespace hsmops::sim {

// In every value, and in nothing that is not the answer to who asked for it.
inline constexpr const char* kMarker = "DO-NOT-TELL";

struct Violation {
  std::string what;
};

class History {
 public:
  explicit History(Cluster& cluster) : cluster_(cluster) {}

  struct Write {
    std::string name;
    std::string value;
    bool remove = false;  // of a tombstone
    Time asked{0};
    std::optional<Time> told;               // when it was acknowledged
    std::optional<store::Version> version;  // if it was; unset where that was another's already
  };
  // A write is one thing however often it is sent: the same opId.
  std::size_t BeginWrite(const std::string& name, const std::string& value, bool remove);
  // `repeated`: `version` is what the name has now, and this write is under it or the same.
  void Acknowledged(std::size_t write, const store::Version& version, bool repeated);

  // An unmarked answer; nullopt: there is none.
  void Read(const std::string& name, Time asked, const std::optional<std::string>& value,
            const store::Version& version);

  // A sentence of a manager, or an error that a client got (I9).
  void Said(const std::string& sentence);
  // After each turn of a fibre.
  void Look();
  // When everything has healed: what must be so in the end.
  void LookAtTheEnd();

  // A forced failover was accepted, or R was put back: acknowledgements of before may be lost.
  void Forgive();
  // With a clock that stood still two gates may overlap, and nothing else.
  void AllowTwoGates() { two_gates_allowed_ = true; }

  const std::optional<Violation>& violation() const { return violation_; }
  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t reads() const { return reads_.size(); }

 private:
  struct Answer {
    Time asked{0};
    Time told{0};
    store::Version version;
    bool own = true;  // some write was told that this is its version
  };
  void Fail(std::string what);
  void LookAtGates();
  void LookAtArbiter();
  void LookAtEpochs();
  void LookAtTokens();
  void LookAtSyncSet();
  void LookForValues();
  // What its token held when it was last looked at, and in which life of its process.
  struct Kept {
    std::uint64_t life = 0;
    bool stranger = false;
    std::map<store::Id, store::Version> held;
  };
  void LookAtToken(const AgentHost& host, Kept& kept);
  // A deletion that was asked for explains that nothing of it is there.
  bool MayBeGone(const store::Id& id, const store::Version& version) const;
  // Whether a name that had at least `version` may be gone by now, and its tombstone collected.
  bool MayBeGone(const std::string& name, const store::Version& version) const;
  void ReadNothing(const std::string& name, Time asked);
  // Without what may be gone.
  std::map<store::Id, store::Version> HeldForGood(const AgentHost& host) const;
  // Every acknowledged version is on this host's token, or something later is.
  void CheckHolds(const AgentHost& host, const std::string& when);

  Cluster& cluster_;
  std::vector<Write> writes_;
  std::map<std::string, std::map<store::Version, Answer>> acked_;  // by name
  std::map<std::string, std::vector<Answer>> answers_;             // reads
  std::vector<std::string> reads_;
  std::map<std::string, store::Version> floor_;  // the greatest acknowledged of each name
  std::map<std::string, store::Epoch> opened_;   // node -> the last epoch its gate was seen open in
  std::map<std::string, store::Epoch> epochs_;
  std::map<std::string, Kept> kept_;  // by node
  Time tokens_looked_at_{0};
  std::optional<cluster::Arbiter> arbiter_;
  std::uint64_t looked_at_writes_ = ~std::uint64_t{0};
  std::map<std::uint64_t, std::string> holders_;  // by epoch counter
  std::optional<Violation> violation_;
  std::size_t acknowledged_ = 0;
  bool two_gates_allowed_ = false;
};

}  // namespace hsmops::sim

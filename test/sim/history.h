// History: what clients asked and were told, and the checks on it. Knows versions and labels, and
// nothing of the code that keeps them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "test/sim/cluster.h"

namespace hsmops::sim {

struct Violation {
  std::string what;
};

class History {
 public:
  explicit History(Cluster& cluster) : cluster_(cluster) {}

  struct Write {
    std::string name;
    std::string value;
    Time asked{0};
    std::optional<Time> told;               // when it was acknowledged
    std::optional<store::Version> version;  // if it was; unset where that was another's already
  };
  // A write is one thing however often it is sent: the same opId.
  std::size_t BeginWrite(const std::string& name, const std::string& value);
  // `repeated`: `version` is what the name has now, and this write is under it or the same.
  void Acknowledged(std::size_t write, const store::Version& version, bool repeated);

  // An unmarked answer; nullopt: there is none.
  void Read(const std::string& name, Time asked, const std::optional<std::string>& value,
            const store::Version& version);

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
  std::optional<cluster::Arbiter> arbiter_;
  std::uint64_t looked_at_writes_ = ~std::uint64_t{0};
  std::map<std::uint64_t, std::string> holders_;  // by epoch counter
  std::optional<Violation> violation_;
  std::size_t acknowledged_ = 0;
  bool two_gates_allowed_ = false;
};

}  // namespace hsmops::sim

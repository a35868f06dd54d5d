// Client: somebody who writes one secret after another and reads the last, whatever happens, and
// notes when what comes of it changes.
//
// Each write is another secret and is asked for at its time, whether those before were answered or
// not. One that ends in doubt is asked for again with its opId, as docs/failover.md says.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "test/sim/history.h"
#include "test/stories/notebook.h"

namespace hsmops::stories {

inline constexpr const char* kClient = "client";

class Client {
 public:
  Client(sim::Cluster& cluster, sim::History& history, Notebook& notebook, sim::Process& process);

  void Write(base::Duration every, sim::Time until);
  void Read(base::Duration every, sim::Time until);
  // What became of all writes, as one line; `primary` tells what is lost.
  std::string Sum() const;
  std::string Lost(const sim::AgentHost* primary) const;

 private:
  struct Asked {
    bool acknowledged = false;
    bool doubted = false;
    bool refused = false;
    store::Version version{};
  };
  // One of the managers that run, another each time, as a Service has it; nullptr: none does.
  manager::LiveClient* Ready();
  base::Result<mirror::Acknowledged> Put(const mirror::Stamp& stamp, int number,
                                         const store::OpId& op);
  void WriteOne(int number);
  void ReadOne();
  void Acknowledged(int number);
  void Failed(int number, const base::Error& error);

  sim::Cluster& cluster_;
  sim::History& history_;
  Notebook& notebook_;
  sim::Process& process_;
  sim::SimClock clock_;
  sim::SimTransport transport_;
  std::vector<std::unique_ptr<manager::LiveClient>> managers_;
  std::size_t turn_ = 0;
  std::vector<Asked> writes_;
  bool works_ = true;  // the last write that was answered was acknowledged
  int last_ = 0;       // the last that was acknowledged before it did not
  int refused_ = 0;    // since then
  int doubted_ = 0;
  std::set<std::string> said_;  // why, since then
  std::string read_;            // what came of the last read,
  sim::Time read_asked_{0};     // and when that was asked for
};

}  // namespace hsmops::stories

// Network: network namespaces of the test's own, one for each node, joined by a bridge in a further
// one; and what goes wrong between them.
//
// No namespace has a name or a way to the machine's network, so nothing is left when the test ends,
// however it ends, and two runs cannot meet. It needs root; where namespaces are refused the test
// fails. Not thread-safe, but for Visit.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hsmops::test {

class Network {
 public:
  explicit Network(const std::vector<std::string>& nodes);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const std::string& AddressOf(const std::string& node) const { return nodes_.at(node).address; }

  // While it lives the calling thread is in that node's network, and so is what it starts.
  class Visit {
   public:
    Visit(const Network& network, const std::string& node);
    explicit Visit(int space);
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    int home_;
  };

  // Of the packets from one node to another so many of a hundred get lost; 100 is a cut one way.
  void Lose(const std::string& from, const std::string& to, int percent);
  // Between everybody of the one side and everybody of the other, both ways.
  void Cut(const std::vector<std::string>& one, const std::vector<std::string>& other);
  void CutOneWay(const std::vector<std::string>& from, const std::vector<std::string>& to);
  // A firewall answers in the receiver's place that nobody listens there.
  void Refuse(const std::string& from, const std::string& to);
  void Heal();

 private:
  struct Node {
    int space = -1;
    std::string address;
  };
  void Apply(const std::string& node) const;

  int hub_ = -1;
  std::map<std::string, Node> nodes_;
  using Way = std::pair<std::string, std::string>;  // from, to
  std::map<Way, std::string> verdicts_;             // what nft does with its packets
};

}  // namespace hsmops::test

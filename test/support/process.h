// Process: a program that a test starts, by posix_spawn, and that never outlives the object.
//
// Standard output and standard error are read as the process runs, so a full pipe never stops it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "test/support/paths.h"

namespace hsmops::test {

struct ProcessOptions {
  std::map<std::string, std::string> env;  // over this process's own; empty value: unset
  std::string folder;                      // working directory; empty: this process's
  std::string input;                       // what standard input holds, then its end
};

struct Ended {
  int code = -1;           // exit code, or -1 when a signal ended it
  int signal = 0;          // which
  bool timed_out = false;  // it was killed at the limit
  std::string out;
  std::string err;
};

class Process {
 public:
  // argv[0] is looked up on PATH. A program that cannot be started fails the test.
  explicit Process(std::vector<std::string> argv, ProcessOptions options = {});
  ~Process();  // kills it with SIGKILL if it still runs, and reaps it
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int number);
  // Until it has ended by itself; kills it at the limit.
  Ended Wait(std::chrono::milliseconds limit = std::chrono::seconds(60));
  // Until standard output or standard error holds `text`, it ends, or the limit. True: found.
  bool WaitFor(const std::string& text, std::chrono::milliseconds limit = std::chrono::seconds(20));
  // What standard error says behind `words`, to the end of the line; "" when it does not in time.
  std::string Says(const std::string& words,
                   std::chrono::milliseconds limit = std::chrono::seconds(30));
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  bool Pump(int wait_ms);  // reads what there is; false when both streams have ended
  bool Reap(bool block);

  pid_t pid_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  std::string out_;
  std::string err_;
};

// Start and wait.
Ended Run(std::vector<std::string> argv, ProcessOptions options = {},
          std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace hsmops::test

// Agents and managers as processes over loopback and TLS: what failing over, writing, reading,
// syncing and doing nothing cost.
#pragma once

namespace hsmops::bench {

void FailingOver();
void WritingAndReading();
void Promoting();
void Syncing(int secrets);
// One manager, so many devices of three nodes, nothing to do.
void Idling(int devices);

}  // namespace hsmops::bench

# A mirror hangs while the values are read again, and the Primary dies meanwhile: who verifies waits
# for that mirror, and who promotes does not.
nodes 4
set verifyInterval 10
set syncInterval 10
set minSyncMirrors 2
write every 2s
at 57s stop node-3
at 100s kill node-1
end 160s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3, node-4; manager-1 leads
  57.0s  ! stop node-3
  66.4s  status: Degraded: MemberUnavailable of node-3
  73.4s  Event Warning DeviceLost: the device of node-3 does not answer as it should
  73.4s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-4
  73.4s  manager-1: node-3 left the sync set: unhealthy
  82.4s  manager-1: nothing is wrong with Primary node-1
 100.0s  ! kill node-1
 100.0s  client: write 51 is refused: Unavailable: connection refused
 105.4s  manager-1: it was tried and did not work: node-1: connection refused
 108.9s  status: ReadOnly: PrimaryUnavailable of node-1, MemberUnavailable of node-3
 108.9s  manager-1: Primary node-1 is watched: unreachable: connection refused
 115.9s  Event Warning DeviceLost: the device of node-1 does not answer as it should
 115.9s  failover-1 runs: Failover to node-2
 118.9s  status: FailingOver: FailingOver of node-2, MemberUnavailable of node-3
 118.9s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-4
 118.9s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
 120.0s  client: write 61 is refused: Unavailable: no Primary: a promotion is under way
 128.9s  failover-1: fence: answered: node-2, node-4
 128.9s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
 131.4s  failover-1: merge: node-2 pulled 0 versions and is frozen
 131.4s  R: epoch 2.nonce-2, holder node-2, S: node-4
 131.4s  failover-1: open: node-2 is the Primary of epoch 2
 131.4s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
 131.4s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 50 secrets, lost none, writes stopped for 22s
 131.4s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 50 secrets, lost none, writes stopped for 22s
 132.0s  client: write 67 is acknowledged; the last before was 50, then 16 were refused and 0 in doubt
 140.4s  status: Degraded: MemberUnavailable of node-1, MemberUnavailable of node-3
 140.4s  manager-1: nothing is wrong with Primary node-2

node-1: does not run
node-2: epoch 2, gate open, 64 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 29 secrets, 0 in quarantine
node-4: epoch 2, gate closed, 64 secrets, 0 in quarantine
degraded MemberUnavailable of node-1: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
degraded MemberUnavailable of node-3: unreachable: no answer in time; next: start or mend what the message names (agent, host, token); it is asked again at every look
history: 130.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 80 writes: 64 acknowledged (0 of them in doubt before), 16 refused, in doubt to the end: none
acknowledged and not on the Primary: none

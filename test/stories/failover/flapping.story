# The Primary's process ends again and again for a moment. minInterval keeps the device from being
# handed around: the second loss waits until a person says so.
set failover.minInterval 600
write every 500ms
at 10s kill node-1
at 40s start node-1
at 50s kill node-2
at 80s start node-2
at 90s kill node-2
at 100s ack
end 130s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! kill node-1
  10.0s  client: write 21 is refused: Unavailable: connection refused
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  failover-1 runs: Failover to node-2
  14.4s  status: FailingOver: FailingOver of node-2
  14.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  14.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  14.4s  failover-1: fence: answered: node-2, node-3
  14.4s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  14.5s  client: write 30 is refused: Unavailable: no Primary: a promotion is under way
  26.9s  failover-1: merge: node-2 pulled 0 versions and is frozen
  26.9s  R: epoch 2.nonce-2, holder node-2, S: node-3
  26.9s  failover-1: open: node-2 is the Primary of epoch 2
  26.9s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  26.9s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 16s
  26.9s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 16s
  26.9s  status: Degraded: MemberUnavailable of node-1, FailoverHeld of local
  26.9s  manager-1: nothing is wrong with Primary node-2
  27.0s  client: write 55 is acknowledged; the last before was 20, then 34 were refused and 0 in doubt
  40.0s  ! start node-1
  40.5s  Event Normal DeviceReturned: the device of node-1 is back
  40.5s  R: epoch 2.nonce-2, holder node-2, S: node-1, node-3
  40.5s  status: Degraded: FailoverHeld of local
  50.0s  ! kill node-2
  50.0s  client: write 101 is refused: Unavailable: connection refused
  50.0s  status: ReadOnly: PrimaryUnavailable of node-2, FailoverHeld of local
  50.0s  manager-1: Primary node-2 is watched: unreachable: connection refused
  54.0s  Event Warning DeviceLost: the device of node-2 does not answer as it should
  54.0s  manager-1: the last failover was at 26.9s and minInterval is 10m; kubectl hsm ack allows another
  80.0s  ! start node-2
  80.0s  client: write 161 is refused: ReadOnly: node-2: this member has no grant to write
  80.1s  Event Normal DeviceReturned: the device of node-2 is back
  80.1s  status: Degraded: FailoverHeld of local
  80.1s  manager-1: nothing is wrong with Primary node-2
  80.5s  client: write 162 is acknowledged; the last before was 100, then 61 were refused and 0 in doubt
  90.0s  ! kill node-2
  90.0s  client: write 181 is refused: Unavailable: connection refused
  90.1s  status: ReadOnly: PrimaryUnavailable of node-2, FailoverHeld of local
  90.1s  manager-1: Primary node-2 is watched: unreachable: connection refused
  94.1s  Event Warning DeviceLost (2 times): the device of node-2 does not answer as it should
  94.1s  manager-1: the last failover was at 26.9s and minInterval is 10m; kubectl hsm ack allows another
 100.0s  ! ack
 100.1s  asked-1 runs: Ack
 100.1s  asked-1 ends Succeeded: acknowledged: minInterval does not hold back the next automatic failover
 100.1s  manager-1: asked-1: acknowledged: minInterval does not hold back the next automatic failover
 100.1s  failover-2 runs: Failover to node-1
 100.1s  status: FailingOver: FailingOver of node-1, FailoverHeld of local
 100.1s  R: epoch 3.nonce-3, no holder, target node-1, S: node-1, node-3
 100.1s  failover-2: fence-point: epoch 3 is on record; nobody of an earlier one can be acknowledged once fenced
 100.1s  failover-2: fence: answered: node-1, node-3
 100.1s  failover-2: wait: node-2 does not answer (connection refused); waiting 12s until its grant has run out
 100.5s  client: write 202 is refused: Unavailable: no Primary: a promotion is under way
 112.7s  failover-2: merge: node-1 pulled 0 versions and is frozen
 112.7s  R: epoch 3.nonce-3, holder node-1, S: node-3
 112.7s  failover-2: open: node-1 is the Primary of epoch 3
 112.7s  Event Normal HSMFailover: Failover from node-2 to node-1, epoch 3, lost none: Primary node-2 is unhealthy and node-1 can have everything acknowledged
 112.7s  failover-2 ends Succeeded: node-1 is the Primary of epoch 3: 85 secrets, lost none, writes stopped for 22s
 112.7s  manager-1: Primary node-2 is unhealthy and node-1 can have everything acknowledged; node-1 is the Primary of epoch 3: 85 secrets, lost none, writes stopped for 22s
 112.7s  status: Degraded: MemberUnavailable of node-2, FailoverHeld of local
 112.7s  manager-1: nothing is wrong with Primary node-1
 113.0s  client: write 227 is acknowledged; the last before was 180, then 46 were refused and 0 in doubt

node-1: epoch 3, gate open, 119 secrets, 0 in quarantine
node-2: does not run
node-3: epoch 3, gate closed, 119 secrets, 0 in quarantine
degraded MemberUnavailable of node-2: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
degraded FailoverHeld of local: the last failover was at 111.9s, so nothing is promoted by itself before 711.9s (failover.minInterval); next: kubectl hsm ack, when what ended the Primary before is understood
history: 26.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
history: 111.9s Failover Succeeded from node-2 to node-1, epoch 3, lost none: Primary node-2 is unhealthy and node-1 can have everything acknowledged
client: 260 writes: 119 acknowledged (0 of them in doubt before), 141 refused, in doubt to the end: none
acknowledged and not on the Primary: none

# A planned promotion says nothing of how often nodes die: minInterval does not keep the device from
# being handed on when the new Primary dies soon after it. The failover does hold back the next one.
set failover.minInterval 600
write every 500ms
at 10s promote node-3
at 20s kill node-3
at 50s kill node-1
end 70s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! promote node-3
  10.4s  asked-1 runs: Promote to node-3
  10.4s  asked-1: quiesce: node-1 stops taking writes
  10.4s  asked-1: equal: node-1 and node-3 have the same digest
  10.4s  status: FailingOver: FailingOver of node-3
  10.4s  R: epoch 2.nonce-2, no holder, target node-3, S: node-2, node-3
  10.4s  asked-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  10.4s  asked-1: fence: answered: node-1, node-2, node-3
  10.4s  asked-1: merge: node-3 pulled 0 versions and is frozen
  10.4s  R: epoch 2.nonce-2, holder node-3, S: node-1, node-2
  10.4s  asked-1: open: node-3 is the Primary of epoch 2
  10.4s  Event Normal HSMFailover: Promote from node-1 to node-3, epoch 2, lost none: the story
  10.4s  asked-1 ends Succeeded: node-3 is the Primary of epoch 2: 21 secrets proved equal, lost none, writes stopped for 0.0s
  10.4s  manager-1: asked-1: node-3 is the Primary of epoch 2: 21 secrets proved equal, lost none, writes stopped for 0.0s
  10.4s  status: Ready
  10.4s  manager-1: nothing is wrong with Primary node-3
  20.0s  ! kill node-3
  20.0s  client: write 41 is refused: Unavailable: connection refused
  20.4s  status: ReadOnly: PrimaryUnavailable of node-3
  20.4s  manager-1: Primary node-3 is watched: unreachable: connection refused
  24.4s  Event Warning DeviceLost: the device of node-3 does not answer as it should
  24.4s  failover-1 runs: Failover to node-1
  24.4s  status: FailingOver: FailingOver of node-1
  24.4s  R: epoch 3.nonce-3, no holder, target node-1, S: node-1, node-2
  24.4s  failover-1: fence-point: epoch 3 is on record; nobody of an earlier one can be acknowledged once fenced
  24.4s  failover-1: fence: answered: node-1, node-2
  24.4s  failover-1: wait: node-3 does not answer (connection refused); waiting 12s until its grant has run out
  24.5s  client: write 50 is refused: Unavailable: no Primary: a promotion is under way
  36.9s  failover-1: merge: node-1 pulled 0 versions and is frozen
  36.9s  R: epoch 3.nonce-3, holder node-1, S: node-2
  36.9s  failover-1: open: node-1 is the Primary of epoch 3
  36.9s  Event Normal HSMFailover: Failover from node-3 to node-1, epoch 3, lost none: Primary node-3 is unhealthy and node-1 can have everything acknowledged
  36.9s  failover-1 ends Succeeded: node-1 is the Primary of epoch 3: 40 secrets, lost none, writes stopped for 16s
  36.9s  manager-1: Primary node-3 is unhealthy and node-1 can have everything acknowledged; node-1 is the Primary of epoch 3: 40 secrets, lost none, writes stopped for 16s
  36.9s  status: Degraded: MemberUnavailable of node-3, FailoverHeld of local
  36.9s  manager-1: nothing is wrong with Primary node-1
  37.0s  client: write 75 is acknowledged; the last before was 40, then 34 were refused and 0 in doubt
  50.0s  ! kill node-1
  50.0s  client: write 101 is refused: Unavailable: connection refused
  50.5s  status: ReadOnly: PrimaryUnavailable of node-1, MemberUnavailable of node-3, FailoverHeld of local, OneFullCopy of local
  50.5s  manager-1: Primary node-1 is watched: unreachable: connection refused
  54.5s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  54.5s  manager-1: the last failover was at 36.9s and minInterval is 10m; kubectl hsm ack allows another

node-1: does not run
node-2: epoch 3, gate closed, 66 secrets, 0 in quarantine
node-3: does not run
critical PrimaryUnavailable of node-1: the Primary takes no writes: unreachable: connection refused; next: kubectl hsm failover --to node-2
degraded MemberUnavailable of node-3: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
degraded FailoverHeld of local: the last failover was at 36.9s, so nothing is promoted by itself before 636.9s (failover.minInterval); next: kubectl hsm ack, when what ended the Primary before is understood
degraded OneFullCopy of local: only one reachable member holds everything acknowledged; next: bring the others back or kubectl hsm sync
history: 9.9s Promote Succeeded from node-1 to node-3, epoch 2, lost none: the story
history: 36.9s Failover Succeeded from node-3 to node-1, epoch 3, lost none: Primary node-3 is unhealthy and node-1 can have everything acknowledged
client: 140 writes: 66 acknowledged (0 of them in doubt before), 74 refused, in doubt to the end: none
acknowledged and not on the Primary: none

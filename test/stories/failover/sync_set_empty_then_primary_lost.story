# The sync set is empty when the Primary is lost: what was acknowledged since is on it alone. The
# mirrors that are back must not be promoted by themselves; a person gives up what only the Primary
# has, and what it brings back later is set aside.
write every 500ms
at 10s kill mirrors
at 30s lose node-1
at 35s start node-2
at 35s start node-3
at 70s failover node-2 accept-loss
at 100s start node-1
end 125s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! kill mirrors (node-2, node-3)
  10.0s  client: write 21 is in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: connection refused; node-3: connection refused)
  10.4s  status: Degraded: MemberUnavailable of node-2, MemberUnavailable of node-3, OneFullCopy of local
  12.0s  client: write 21 stays in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: it did not answer and is left alone for a moment; node-3: it did not answer and is left alone for a moment)
  14.4s  Event Warning DeviceLost: the device of node-2 does not answer as it should
  14.4s  Event Warning DeviceLost: the device of node-3 does not answer as it should
  14.4s  R: epoch 1.nonce-1, holder node-1, S: nobody
  14.4s  manager-1: node-2, node-3 left the sync set: unhealthy
  14.4s  manager-1: nothing is wrong with Primary node-1
  14.5s  client: write 30 is acknowledged; the last before was 20, then 0 were refused and 9 in doubt
  14.5s  client: write 26, which was in doubt, is acknowledged
  15.0s  client: write 23, which was in doubt, is acknowledged
  15.5s  client: write 28, which was in doubt, is acknowledged
  16.0s  client: write 29, which was in doubt, is acknowledged
  30.0s  ! lose node-1
  33.0s  client: write 61 is refused: Unavailable: no answer in time
  33.4s  status: Unavailable: PrimaryUnavailable of node-1, NoFullCopy of local, MemberUnavailable of node-2, MemberUnavailable of node-3
  33.4s  manager-1: Primary node-1 is watched: unreachable: no answer in time
  35.0s  ! start node-2
  35.0s  ! start node-3
  40.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  40.4s  Event Normal DeviceReturned: the device of node-2 is back
  40.4s  Event Normal DeviceReturned: the device of node-3 is back
  40.4s  status: Unavailable: PrimaryUnavailable of node-1, NoFullCopy of local
  40.4s  manager-1: the sync set is empty, so acknowledged writes may be on the last Primary alone
  70.0s  ! failover node-2 accept-loss
  71.9s  asked-1 runs: Failover to node-2
  74.9s  status: FailingOver: NoFullCopy of local, FailingOver of node-2
  74.9s  R: epoch 2.nonce-2, no holder, target node-2, S: nobody
  74.9s  asked-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  75.0s  client: write 151 is refused: Unavailable: no Primary: a promotion is under way
  79.9s  asked-1: fence: answered: node-2, node-3
  79.9s  asked-1: wait: node-1 does not answer (no connection); waiting 12s until its grant has run out
  87.5s  asked-1: accept-loss: unknown: the sync set is empty, so acknowledged writes may be on the last Primary alone
  87.5s  asked-1: merge: node-2 pulled 0 versions and is frozen
  87.5s  R: epoch 2.nonce-2, holder node-2, S: node-3
  87.5s  asked-1: open: node-2 is the Primary of epoch 2
  87.5s  Event Warning HSMFailover: Failover from node-1 to node-2, epoch 2, lost unknown: the sync set is empty, so acknowledged writes may be on the last Primary alone: the story
  87.5s  asked-1 ends Succeeded: node-2 is the Primary of epoch 2: 20 secrets, lost unknown: the sync set is empty, so acknowledged writes may be on the last Primary alone, writes stopped for 57s
  87.5s  manager-1: asked-1: node-2 is the Primary of epoch 2: 20 secrets, lost unknown: the sync set is empty, so acknowledged writes may be on the last Primary alone, writes stopped for 57s
  87.5s  client: write 176 is acknowledged; the last before was 60, then 115 were refused and 0 in doubt
  90.5s  status: Degraded: MemberUnavailable of node-1
  90.5s  manager-1: nothing is wrong with Primary node-2
 100.0s  ! start node-1
 101.5s  Event Normal DeviceReturned: the device of node-1 is back
 101.5s  R: epoch 2.nonce-2, holder node-2, S: node-1, node-3
 101.5s  status: Degraded: Divergence of node-1
 101.5s  Event Warning Divergence: 40 versions that the current epoch does not have were set aside
 101.5s  status: Ready
 102.0s  status: Degraded: Divergence of node-1

node-1: epoch 2, gate closed, 95 secrets, 40 in quarantine
node-2: epoch 2, gate open, 95 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 95 secrets, 0 in quarantine
degraded Divergence of node-1: 40 versions are in quarantine: nobody else has them; next: kubectl hsm divergence list
history: 86.9s Failover Succeeded from node-1 to node-2, epoch 2, lost unknown: the sync set is empty, so acknowledged writes may be on the last Primary alone: the story
client: 250 writes: 135 acknowledged (9 of them in doubt before), 115 refused, in doubt to the end: none
acknowledged and not on the Primary: 21-60

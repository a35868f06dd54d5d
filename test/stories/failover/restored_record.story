# Everything that the API server knows is set back to what it was before a failover, as after a
# restore of etcd. The members have seen a later epoch and obey nobody; the condition says so and how
# to go on, and that is done.
write every 500ms
at 5s keep R
at 10s kill node-1
at 40s start node-1
at 60s restore R
at 90s failover node-2 accept-loss
end 125s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   5.0s  ! keep R
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
  26.9s  status: Degraded: MemberUnavailable of node-1
  26.9s  manager-1: nothing is wrong with Primary node-2
  27.0s  client: write 55 is acknowledged; the last before was 20, then 34 were refused and 0 in doubt
  40.0s  ! start node-1
  40.5s  Event Normal DeviceReturned: the device of node-1 is back
  40.5s  R: epoch 2.nonce-2, holder node-2, S: node-1, node-3
  40.5s  status: Ready
  60.0s  ! restore R
  60.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3
  60.0s  client: write 121 is refused: ReadOnly: node-1: this member is not the Primary
  60.0s  status: ReadOnly: EpochRegressed of node-1, EpochRegressed of node-2, EpochRegressed of node-3, NoGrant of node-1
  60.0s  manager-1: EpochRegressed: the record says epoch 1.nonce-1, node-1 has seen 2.nonce-2; was the record restored from a backup? Choose the member to go on from (kubectl hsm status shows them), then kubectl hsm failover --to NODE --accept-loss
  90.0s  ! failover node-2 accept-loss
  90.0s  asked-1 runs: Failover to node-2
  90.0s  status: FailingOver: EpochRegressed of node-1, EpochRegressed of node-2, EpochRegressed of node-3, FailingOver of node-2
  90.0s  R: epoch 3.nonce-3, no holder, target node-2, S: nobody
  90.0s  asked-1: fence-point: epoch 3 is on record; nobody of an earlier one can be acknowledged once fenced
  90.0s  asked-1: fence: answered: node-1, node-2, node-3
  90.0s  asked-1: accept-loss: unknown: the record was older than what its members have seen
  90.0s  asked-1: merge: node-2 pulled 0 versions and is frozen
  90.0s  R: epoch 3.nonce-3, holder node-2, S: node-1, node-3
  90.0s  asked-1: open: node-2 is the Primary of epoch 3
  90.0s  Event Warning HSMFailover: Failover from node-1 to node-2, epoch 3, lost unknown: the record was older than what its members have seen: the story
  90.0s  asked-1 ends Succeeded: node-2 is the Primary of epoch 3: 86 secrets, lost unknown: the record was older than what its members have seen, promoted in 0.0s
  90.0s  manager-1: asked-1: node-2 is the Primary of epoch 3: 86 secrets, lost unknown: the record was older than what its members have seen, promoted in 0.0s
  90.0s  status: Ready
  90.0s  manager-1: nothing is wrong with Primary node-2
  90.5s  client: write 182 is acknowledged; the last before was 120, then 61 were refused and 0 in doubt

node-1: epoch 3, gate closed, 155 secrets, 0 in quarantine
node-2: epoch 3, gate open, 155 secrets, 0 in quarantine
node-3: epoch 3, gate closed, 155 secrets, 0 in quarantine
history: 89.9s Failover Succeeded from node-1 to node-2, epoch 3, lost unknown: the record was older than what its members have seen: the story
client: 250 writes: 155 acknowledged (0 of them in doubt before), 95 refused, in doubt to the end: none
acknowledged and not on the Primary: none

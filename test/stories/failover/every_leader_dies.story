# Each leader dies at the fencing point of its promotion, until there is only one. Each begins an
# epoch of its own, and the Primary of the first is still waited for.
write every 500ms
at 10s kill node-1
at P2 kill leader
at next P2 kill leader
at 80s start node-1
end 100s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! kill node-1
  10.0s  client: write 21 is refused: Unavailable: connection refused
  10.0s  status: ReadOnly: PrimaryUnavailable of node-1
  11.0s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  11.0s  failover-1 runs: Failover to node-2
  11.1s  status: FailingOver: PrimaryUnavailable of node-1
  11.1s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  11.1s  ! kill leader (manager-1)
  11.5s  client: write 24 is refused: Unavailable: no Primary: a promotion is under way
  19.5s  R: epoch 3.nonce-3, no holder, target node-2, S: node-2, node-3
  19.5s  ! kill leader (manager-2)
  28.5s  R: epoch 4.nonce-4, no holder, target node-2, S: node-2, node-3
  28.5s  failover-1: fence-point: epoch 4 is on record; nobody of an earlier one can be acknowledged once fenced
  28.5s  failover-1: fence: answered: node-2, node-3
  28.5s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  41.1s  failover-1: merge: node-2 pulled 0 versions and is frozen
  41.1s  R: epoch 4.nonce-4, holder node-2, S: node-3
  41.1s  failover-1: open: node-2 is the Primary of epoch 4
  41.1s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 4, lost none: Primary node-1 is unhealthy and node-2 holds everything acknowledged
  41.1s  failover-1 ends Succeeded: node-2 is the Primary of epoch 4: 20 secrets, lost none, writes stopped for 12s
  41.1s  manager-3: node-2 is the Primary of epoch 4: 20 secrets, lost none, writes stopped for 12s
  41.2s  status: Degraded: MemberUnavailable of node-1
  41.2s  manager-3: Primary node-2 is not known to be unhealthy
  41.5s  client: write 84 is acknowledged; the last before was 20, then 63 were refused and 0 in doubt
  41.7s  Event Warning DeviceLost (2 times): the device of node-1 does not answer as it should
  80.0s  ! start node-1
  80.2s  Event Normal DeviceReturned: the device of node-1 is back
  80.2s  R: epoch 4.nonce-4, holder node-2, S: node-1, node-3
  80.3s  status: Ready
  80.3s  status: Degraded: NotEqual of node-1
  80.8s  status: Ready

node-1: epoch 4, gate closed, 137 secrets, 0 in quarantine
node-2: epoch 4, gate open, 137 secrets, 0 in quarantine
node-3: epoch 4, gate closed, 137 secrets, 0 in quarantine
history: 41.0s Failover Succeeded from node-1 to node-2, epoch 4, lost none: Primary node-1 is unhealthy and node-2 holds everything acknowledged
client: 200 writes: 137 acknowledged (0 of them in doubt before), 63 refused, in doubt to the end: none
acknowledged and not on the Primary: none

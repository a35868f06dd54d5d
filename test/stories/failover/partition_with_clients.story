# The Primary is on one side with one manager and the client, the mirrors and the other managers on
# the other. The side that reaches the API server and the sync set goes on.
write every 500ms
read every 1s
at 10s cut node-1 from node-2 node-3 manager-2 manager-3
at 10s cut manager-1 from node-2 node-3 manager-2 manager-3
at 10s cut client from node-2 node-3 manager-2 manager-3
at 10s cut manager-1 from store
at 60s join node-1
at 60s join manager-1
at 60s join client
end 85s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   1.0s  client: reads are answered by the Primary, node-1
  10.0s  ! cut node-1 from node-2 node-3 manager-2 manager-3
  10.0s  ! cut manager-1 from node-2 node-3 manager-2 manager-3
  10.0s  ! cut client from node-2 node-3 manager-2 manager-3
  10.0s  ! cut manager-1 from store
  10.4s  manager-1: nothing can be done: reading HSMDevice default/local: the resource store does not answer
  11.0s  client: write 23 is refused: Unavailable: reading HSMDevice default/local: the resource store does not answer
  15.0s  client: reads fail: Unavailable: no connection
  15.0s  client: write 21 is refused: Unavailable: no connection
  44.4s  manager-2: it was tried and did not work: node-1: no connection
  54.9s  status: ReadOnly: PrimaryUnavailable of node-1
  54.9s  manager-2: Primary node-1 is not known to be unhealthy
  60.0s  ! join node-1
  60.0s  ! join manager-1
  60.0s  ! join client
  60.0s  client: write 121 is refused: ReadOnly: node-1: the grant to write has run out
  60.0s  client: reads are answered by the Primary, node-1
  60.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  60.4s  failover-1 runs: Failover to node-2
  60.4s  failover-1 ends Failed: Primary node-1 is healthy: use kubectl hsm promote, which proves equality first
  60.4s  manager-2: Primary node-1 is unhealthy and node-2 holds everything acknowledged; Primary node-1 is healthy: use kubectl hsm promote, which proves equality first
  60.4s  Event Normal DeviceReturned: the device of node-1 is back
  60.4s  status: Ready
  60.4s  manager-2: Primary node-1 is not known to be unhealthy
  60.5s  client: write 122 is acknowledged; the last before was 20, then 97 were refused and 0 in doubt

node-1: epoch 1, gate open, 69 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 69 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 69 secrets, 0 in quarantine
client: 170 writes: 69 acknowledged (0 of them in doubt before), 101 refused, in doubt to the end: none
acknowledged and not on the Primary: none

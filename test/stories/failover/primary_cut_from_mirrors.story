# The Primary reaches the managers and not its mirrors, and the managers reach them all. Nobody is
# unhealthy, and no write is confirmed, until the leader takes the mirrors out of the sync set: with
# durability Available the Primary writes alone then, and the leader goes on copying. When they
# reach each other again the mirrors come back.
write every 500ms
at 10s cut node-1 from mirrors
at 30s join node-1
end 45s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! cut node-1 from mirrors
  15.0s  client: write 21 is in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: no connection; node-3: no connection)
  15.4s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  18.4s  client: write 21 stays in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: it did not answer and is left alone for a moment; node-3: it did not answer and is left alone for a moment)
  19.6s  R: epoch 1.nonce-1, holder node-1, S: nobody
  19.6s  client: write 39 is acknowledged; the last before was 20, then 0 were refused and 18 in doubt
  19.6s  manager-1: node-2, node-3 left the sync set: out of the Primary's reach
  19.7s  manager-1: nothing is wrong with Primary node-1
  20.4s  client: write 34, which was in doubt, is acknowledged
  20.5s  client: write 38, which was in doubt, is acknowledged
  30.0s  ! join node-1
  30.6s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3
  30.6s  status: Ready
  30.7s  status: Degraded: PeerUnreachable of node-2, PeerUnreachable of node-3
  31.2s  status: Ready

node-1: epoch 1, gate open, 90 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 90 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 90 secrets, 0 in quarantine
client: 90 writes: 90 acknowledged (18 of them in doubt before), 0 refused, in doubt to the end: none
acknowledged and not on the Primary: none

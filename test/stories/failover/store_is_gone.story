# No manager reaches the API server for a while. Nobody can renew the record, so writes stop when the
# grant has run out, and go on when it is back: nobody is promoted.
write every 500ms
read every 1s
at 10s cut managers from store
at 40s join managers
end 60s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   1.0s  client: reads are answered by the Primary, node-1
  10.0s  ! cut managers from store (manager-1, manager-2, manager-3)
  10.0s  client: reads fail: Unavailable: reading HSMDevice default/local: the resource store does not answer
  10.0s  client: write 21 is refused: Unavailable: reading HSMDevice default/local: the resource store does not answer
  10.4s  manager-1: nothing can be done: reading HSMDevice default/local: the resource store does not answer
  40.0s  ! join managers (manager-1, manager-2, manager-3)
  40.0s  client: write 81 is refused: ReadOnly: node-1: the grant to write has run out
  40.0s  client: reads are answered by the Primary, node-1
  40.5s  client: write 82 is acknowledged; the last before was 20, then 61 were refused and 0 in doubt
  40.9s  manager-1: nothing is wrong with Primary node-1

node-1: epoch 1, gate open, 59 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 59 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 59 secrets, 0 in quarantine
client: 120 writes: 59 acknowledged (0 of them in doubt before), 61 refused, in doubt to the end: none
acknowledged and not on the Primary: none

// Unit cube, tetrahedra or one transfinite layer stack of hexahedra. Made with gmsh 4.8.4: see make.sh.
If (!Exists(hexes)) hexes = 0; EndIf
Point(1) = {0, 0, 0, 0.9}; Point(2) = {1, 0, 0, 0.9}; Point(3) = {1, 1, 0, 0.9}; Point(4) = {0, 1, 0, 0.9};
Line(1) = {1, 2}; Line(2) = {2, 3}; Line(3) = {3, 4}; Line(4) = {4, 1};
Curve Loop(1) = {1, 2, 3, 4}; Plane Surface(1) = {1};
If (hexes)
  Transfinite Curve {1, 2, 3, 4} = 3; Transfinite Surface {1}; Recombine Surface {1};
  out[] = Extrude {0, 0, 1} { Surface{1}; Layers{2}; Recombine; };
Else
  out[] = Extrude {0, 0, 1} { Surface{1}; };
EndIf
Physical Volume("body", 1) = {out[1]};
Physical Surface("zmin", 2) = {1}; Physical Surface("zmax", 3) = {out[0]};
Physical Curve("edge", 4) = {1}; Physical Point("corner", 5) = {1};

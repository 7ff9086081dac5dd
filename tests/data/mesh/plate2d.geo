// Rectangle 2 x 1 of two regions that share an interface; a named corner point; an entity in two physical groups.
// Made with gmsh 4.8.4: see make.sh.
If (!Exists(quads)) quads = 0; EndIf
Point(1) = {0, 0, 0, 0.5}; Point(2) = {1, 0, 0, 0.5}; Point(3) = {2, 0, 0, 0.5};
Point(4) = {2, 1, 0, 0.5}; Point(5) = {1, 1, 0, 0.5}; Point(6) = {0, 1, 0, 0.5};
Line(1) = {1, 2}; Line(2) = {2, 3}; Line(3) = {3, 4}; Line(4) = {4, 5}; Line(5) = {5, 6}; Line(6) = {6, 1}; Line(7) = {2, 5};
Curve Loop(1) = {1, 7, 5, 6}; Curve Loop(2) = {2, 3, 4, -7};
Plane Surface(1) = {1}; Plane Surface(2) = {2};
If (quads)
  Transfinite Curve {1, 2, 4, 5} = 4; Transfinite Curve {3, 6, 7} = 3;
  Transfinite Surface {1, 2}; Recombine Surface {1, 2};
EndIf
Physical Surface("matrix", 11) = {1}; Physical Surface("inclusion", 12) = {2};
Physical Curve("bottom", 21) = {1, 2}; Physical Curve("left", 22) = {6}; Physical Curve("right", 23) = {3};
Physical Curve("outer", 24) = {1, 2, 3, 4, 5, 6}; Physical Curve("interface", 25) = {7};
Physical Point("corner", 31) = {1};

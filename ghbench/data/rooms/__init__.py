"""Rooms drawn by code: cuboids with furniture, whose corners, edges, surfaces, camera and light are known."""
